/* Title screen, buttons, random numbers and the loop over frames.
 *
 * A program outside starts a game by writing `seed`, `level` and then `start` (layout.h); a person presses START for
 * the falling blocks or SELECT for the walk. */
#include "games.h"

#define JOYPAD (*(volatile uint8_t *)0xFF00)
#define INTERRUPT_FLAGS (*(volatile uint8_t *)0xFF0F)
#define INTERRUPT_ENABLE (*(volatile uint8_t *)0xFFFF)

volatile uint8_t tick;
uint8_t pressed; /* buttons that went down in this frame */

/* Xorshift on 16 bits: every number but 0 comes once in 65535 (G. Marsaglia, 2003, shifts 7, 9, 8). */
uint8_t random8(void) {
    uint16_t r = rng;
    r ^= r << 7;
    r ^= r >> 9;
    r ^= r << 8;
    rng = r;
    return (uint8_t)(r >> 8);
}

static void read_pad(void) {
    uint8_t down, n;
    JOYPAD = 0x20; /* the directions */
    for (n = 0; n != 4; n++) down = JOYPAD;
    down = ~down & 0x0F;
    JOYPAD = 0x10; /* the buttons: their lines take a while to settle */
    for (n = 0; n != 8; n++) pressed = JOYPAD;
    down |= (uint8_t)(~pressed << 4);
    JOYPAD = 0x30;
    pressed = down & ~held;
    held = down;
}

static void title_begin(void) {
    uint8_t n;
    mode = TITLE;
    start = 0;
    playing = gameover = 0;
    hide_sprites();
    fill(TILE_EMPTY);
    for (n = 0; n != COLUMNS; n++) {
        put(n, 0, TILE_FRAME);
        put(n, ROWS - 1, TILE_FRAME);
    }
    for (n = 0; n != 7; n++) {
        put(3 + 2 * n, 4, TILE_BLOCK + n);
        put(3 + 2 * n, 13, TILE_BLOCK + 6 - n);
    }
    text(7, 7, "BLOCKS");
    text(3, 8, "PRESS START");
    text(8, 10, "WALK");
    text(3, 11, "PRESS SELECT");
}

static void title_frame(void) {
    if (!start) {
        if (pressed & PAD_START) start = BLOCKS;
        else if (pressed & PAD_SELECT) start = WALK;
        else return;
        seed = frames; /* when a person presses is random enough */
    }
    rng = seed ? seed : 1;
    mode = start;
    start = 0;
    score = 0;
    lines = goals = 0;
    if (mode == WALK) walk_begin();
    else blocks_begin();
}

void main(void) {
    screen_begin();
    title_begin();
    INTERRUPT_FLAGS = 0;
    INTERRUPT_ENABLE = 1; /* vertical blank */
    __asm__("ei");
    for (;;) {
        screen_frame();
        read_pad();
        frames++;
        if (mode == TITLE) title_frame();
        else if (!playing && !gameover) playing = screen_settled(); /* the game waits until it can be seen */
        else if (gameover) {
            if (pressed & PAD_START) title_begin();
        } else if (mode == BLOCKS) blocks_frame();
        else walk_frame();
    }
}
