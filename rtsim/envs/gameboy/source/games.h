/* What the parts of the ROM share. Addresses of state that is read from outside: layout.h (generated). */
#ifndef GAMES_H
#define GAMES_H

#include <stdint.h>

#include "layout.h"
#include "tiles.h"

enum { TITLE, BLOCKS, WALK };

enum { PAD_RIGHT = 1, PAD_LEFT = 2, PAD_UP = 4, PAD_DOWN = 8, PAD_A = 16, PAD_B = 32, PAD_SELECT = 64, PAD_START = 128 };

enum { COLUMNS = 20, ROWS = 18 };

/* start.s */
extern volatile uint8_t tick;
void wait_vblank(void);
void copy_row(uint8_t *to, const uint8_t *from);
void copy_sprites(const uint8_t *from);

/* screen.c: the picture in work RAM, copied to video RAM four rows per vertical blank */
extern uint8_t *const row_of[ROWS];
void screen_begin(void);
void screen_frame(void);
uint8_t screen_settled(void);
void fill(uint8_t tile);
void put(uint8_t column, uint8_t row, uint8_t tile);
void text(uint8_t column, uint8_t row, const char *words);
void digits(uint8_t column, uint8_t row, uint32_t value, uint8_t count);
void sprite(uint8_t index, uint8_t x, uint8_t y, uint8_t tile, uint8_t attributes);
void hide_sprites(void);

/* main.c */
extern uint8_t pressed;
uint8_t random8(void);

/* blocks.c, walk.c */
void blocks_begin(void);
void blocks_frame(void);
void walk_begin(void);
void walk_frame(void);

#endif
