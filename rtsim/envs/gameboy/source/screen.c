/* The screen as 18 rows of 20 tile numbers in work RAM (`screen`, see layout.h), and four sprites.
 *
 * Video RAM may be written only while no line is drawn. One vertical blank is 1140 machine cycles and a row takes
 * about 150, so at most four rows are copied per frame; a change of the whole screen takes five frames. */
#include "games.h"

#define LCDC (*(volatile uint8_t *)0xFF40)
#define SCROLL_Y (*(volatile uint8_t *)0xFF42)
#define SCROLL_X (*(volatile uint8_t *)0xFF43)
#define LINE (*(volatile uint8_t *)0xFF44)
#define PALETTE ((volatile uint8_t *)0xFF47)

enum { ROWS_PER_FRAME = 4 };

#define ROW(n) (screen + 20 * (n))
uint8_t *const row_of[ROWS] = {ROW(0),  ROW(1),  ROW(2),  ROW(3),  ROW(4),  ROW(5),  ROW(6),  ROW(7),  ROW(8),
                               ROW(9),  ROW(10), ROW(11), ROW(12), ROW(13), ROW(14), ROW(15), ROW(16), ROW(17)};

static uint8_t changed[ROWS];
static uint8_t next_row;
static uint8_t sprites[16];

void screen_begin(void) {
    uint8_t *to = (uint8_t *)0x8000;
    const uint8_t *from = tile_data;
    uint16_t n;

    while (LINE != 145) {
    }
    LCDC = 0;
    for (n = 0; n != sizeof(tile_data); n++) *to++ = *from++;
    to = (uint8_t *)0x9800;
    for (n = 0; n != 0x400; n++) *to++ = TILE_EMPTY;
    to = (uint8_t *)0xFE00;
    for (n = 0; n != 160; n++) *to++ = 0;
    SCROLL_X = SCROLL_Y = 0;
    PALETTE[0] = PALETTE[1] = PALETTE[2] = 0xE4; /* shade n is shade n */
    LCDC = 0x93;                                 /* on; tiles and sprites from 0x8000, map at 0x9800 */
}

/* Choose the rows, wait for the vertical blank, copy. */
void screen_frame(void) {
    uint8_t rows[ROWS_PER_FRAME], count = 0, looked;

    for (looked = 0; looked != ROWS && count != ROWS_PER_FRAME; looked++) {
        if (changed[next_row]) {
            changed[next_row] = 0;
            rows[count++] = next_row;
        }
        if (++next_row == ROWS) next_row = 0;
    }
    wait_vblank();
    copy_sprites(sprites);
    while (count) {
        count--;
        copy_row((uint8_t *)0x9800 + ((uint16_t)rows[count] << 5), row_of[rows[count]]);
    }
}

/* Whether everything that was put is on the screen after the next frame. */
uint8_t screen_settled(void) {
    uint8_t row;
    for (row = 0; row != ROWS; row++)
        if (changed[row]) return 0;
    return 1;
}

void fill(uint8_t tile) {
    uint16_t n;
    for (n = 0; n != COLUMNS * ROWS; n++) screen[n] = tile;
    for (n = 0; n != ROWS; n++) changed[n] = 1;
}

void put(uint8_t column, uint8_t row, uint8_t tile) {
    row_of[row][column] = tile;
    changed[row] = 1;
}

/* Capitals, digits and spaces. */
void text(uint8_t column, uint8_t row, const char *words) {
    for (; *words; words++, column++) {
        if (*words >= 'A') put(column, row, TILE_LETTER + (*words - 'A'));
        else if (*words >= '0') put(column, row, TILE_DIGIT + (*words - '0'));
    }
}

void digits(uint8_t column, uint8_t row, uint32_t value, uint8_t count) {
    static const uint32_t powers[6] = {100000, 10000, 1000, 100, 10, 1};
    uint8_t n = 6 - count, digit;
    for (; n != 6; n++, column++) {
        /* beyond the display the last digits are shown */
        for (digit = 0; value >= powers[n]; digit++) value -= powers[n];
        while (digit > 9) digit -= 10;
        put(column, row, TILE_DIGIT + digit);
    }
}

/* x and y in pixels from the upper left corner of the screen. */
void sprite(uint8_t index, uint8_t x, uint8_t y, uint8_t tile, uint8_t attributes) {
    uint8_t *to = sprites + (index << 2);
    to[0] = y + 16;
    to[1] = x + 8;
    to[2] = tile;
    to[3] = attributes;
}

void hide_sprites(void) {
    uint8_t n;
    for (n = 0; n != sizeof(sprites); n++) sprites[n] = 0;
}
