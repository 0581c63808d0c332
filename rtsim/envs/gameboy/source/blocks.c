/* Falling blocks: seven pieces of four squares fall into a well, full lines vanish, a full well ends the game.
 *
 * Left and right move (at once, then repeatedly while held), A and B turn, down hurries; up does nothing.
 * The well is columns 1 to 10 and rows 1 to 16 of the screen itself, and whatever is not empty is in the way. */
#include "games.h"
#include "shapes.h"

enum { LEFT = 1, TOP = 1, WIDTH = 10, HEIGHT = 16, PANEL = 13 };
enum { REPEAT_FIRST = 10, REPEAT_NEXT = 3, HURRY = 2, FLASH = 16 };

/* Frames per row at each level. */
static const uint8_t pace[10] = {30, 26, 22, 18, 15, 12, 10, 8, 6, 4};
/* Points of 0 to 4 lines, times level + 1; a hurried row is one point more. */
static const uint16_t points[5] = {0, 50, 150, 350, 750};

static uint8_t fall_wait, repeat_wait, flash_wait, may_hurry, first_level;
static uint8_t full[4], full_count;

static uint8_t fits(uint8_t turned, int8_t x, int8_t y) {
    const uint8_t *cell = shapes[piece][turned];
    uint8_t n;
    for (n = 0; n != 4; n++, cell++)
        if (row_of[TOP + y + (*cell >> 4)][LEFT + x + (*cell & 15)] != TILE_EMPTY) return 0;
    return 1;
}

static void show_piece(void) {
    const uint8_t *cell = shapes[piece][turn];
    uint8_t n;
    for (n = 0; n != 4; n++, cell++)
        sprite(n, (uint8_t)(LEFT + piece_x + (*cell & 15)) << 3, (uint8_t)(TOP + piece_y + (*cell >> 4)) << 3,
               TILE_BLOCK + piece, 0);
}

static void show_numbers(void) {
    digits(PANEL, 3, score, 6);
    digits(PANEL, 6, level, 2);
    digits(PANEL, 9, lines, 4);
}

static uint8_t draw(void) {
    uint8_t drawn;
    do drawn = random8() & 7;
    while (drawn == 7);
    return drawn;
}

static void next_piece(void) {
    const uint8_t *cell;
    uint8_t n;

    piece = next;
    next = draw();
    pieces++;
    turn = 0;
    piece_x = 3;
    piece_y = 0;
    fall_wait = pace[level];
    may_hurry = 0;
    for (n = 0; n != 4; n++) {
        put(PANEL + 1 + n, 13, TILE_EMPTY);
        put(PANEL + 1 + n, 14, TILE_EMPTY);
    }
    cell = shapes[next][0];
    for (n = 0; n != 4; n++, cell++) put(PANEL + 1 + (*cell & 15), 13 + (*cell >> 4), TILE_BLOCK + next);
    if (fits(0, piece_x, piece_y)) {
        show_piece();
        return;
    }
    gameover = 1;
    hide_sprites();
    for (n = LEFT; n != LEFT + WIDTH; n++) {
        put(n, 7, TILE_EMPTY);
        put(n, 8, TILE_EMPTY);
        put(n, 9, TILE_EMPTY);
    }
    text(LEFT, 8, " GAME OVER");
}

void blocks_begin(void) {
    uint8_t n;

    fill(TILE_EMPTY);
    for (n = 0; n != ROWS; n++) {
        put(LEFT - 1, n, TILE_FRAME);
        put(LEFT + WIDTH, n, TILE_FRAME);
    }
    for (n = LEFT; n != LEFT + WIDTH; n++) {
        put(n, TOP - 1, TILE_FRAME);
        put(n, TOP + HEIGHT, TILE_FRAME);
    }
    text(PANEL, 2, "SCORE");
    text(PANEL, 5, "LEVEL");
    text(PANEL, 8, "LINES");
    text(PANEL, 11, "NEXT");
    if (level > 9) level = 9;
    first_level = level;
    pieces = 0;
    full_count = flash_wait = repeat_wait = 0;
    show_numbers();
    next = draw();
    next_piece();
}

static void settle(void) {
    const uint8_t *cell = shapes[piece][turn];
    uint8_t n, column, row, *tiles;

    for (n = 0; n != 4; n++, cell++) put(LEFT + piece_x + (*cell & 15), TOP + piece_y + (*cell >> 4), TILE_BLOCK + piece);
    hide_sprites();
    full_count = 0;
    for (n = 0; n != 4; n++) {
        row = TOP + piece_y + n;
        if (row >= TOP + HEIGHT) break;
        tiles = row_of[row] + LEFT;
        for (column = 0; column != WIDTH && tiles[column] != TILE_EMPTY; column++) {
        }
        if (column == WIDTH) full[full_count++] = row;
    }
    if (!full_count) {
        show_numbers();
        next_piece();
        return;
    }
    for (n = 0; n != full_count; n++)
        for (column = LEFT; column != LEFT + WIDTH; column++) put(column, full[n], TILE_FLASH);
    flash_wait = FLASH;
}

/* Lets everything above one full line down; one line per frame, which is what a frame has time for. */
static void collapse(uint8_t row) {
    uint8_t column, *to, *from;
    for (; row != TOP; row--) {
        to = row_of[row] + LEFT;
        from = row_of[row - 1] + LEFT;
        put(LEFT, row, *from); /* marks the row as changed */
        for (column = 1; column != WIDTH; column++) to[column] = from[column];
    }
    for (column = LEFT; column != LEFT + WIDTH; column++) put(column, TOP, TILE_EMPTY);
}

static void vanish(void) {
    uint8_t n, reached;
    if (flash_wait) {
        flash_wait--;
        return;
    }
    for (n = 0; !full[n]; n++) {
    }
    collapse(full[n]); /* from the top, so that the rows below keep their numbers */
    full[n] = 0;
    if (n + 1 != full_count) return;
    for (n = 0; n <= level; n++) score += points[full_count];
    lines += full_count;
    full_count = 0;
    reached = first_level;
    for (n = 10; n <= lines && reached != 9; n += 10) reached++;
    level = reached;
    show_numbers();
    next_piece();
}

static void move(int8_t by) {
    if (fits(turn, piece_x + by, piece_y)) piece_x += by;
}

static void rotate(uint8_t by) {
    static const int8_t aside[3] = {0, -1, 1};
    uint8_t turned = (turn + by) & 3, n;
    for (n = 0; n != 3; n++)
        if (fits(turned, piece_x + aside[n], piece_y)) {
            turn = turned;
            piece_x += aside[n];
            return;
        }
}

void blocks_frame(void) {
    uint8_t sideways = held & (PAD_LEFT | PAD_RIGHT), hurried;

    if (full_count) {
        vanish();
        return;
    }
    if (pressed & PAD_A) rotate(1);
    if (pressed & PAD_B) rotate(3);
    if (pressed & sideways) repeat_wait = REPEAT_FIRST + 1;
    if (sideways && (pressed & sideways || --repeat_wait == 0)) {
        move(sideways & PAD_LEFT ? -1 : 1);
        if (!(pressed & sideways)) repeat_wait = REPEAT_NEXT;
    }
    /* a piece is hurried only by a button that went down after it came */
    if (pressed & PAD_DOWN) may_hurry = 1;
    if (!(held & PAD_DOWN)) may_hurry = 0;
    hurried = may_hurry && fall_wait > HURRY;
    if (hurried) fall_wait = HURRY;
    if (--fall_wait == 0) {
        if (fits(turn, piece_x, piece_y + 1)) {
            piece_y++;
            if (may_hurry) score++;
            fall_wait = pace[level];
        } else {
            settle();
            return;
        }
    }
    show_piece();
}
