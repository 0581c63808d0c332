/* A walk through mazes, one after another, for ever: nothing ever goes wrong, and waiting costs only time.
 *
 * A step in one of the four directions takes four frames, in which no button is listened to. A place seen for the first
 * time is one point, a goal is twenty and leads to the next maze. The maze is the screen itself, rows 1 to 17: cells at
 * odd columns and even rows, what is between two of them is wall or passage. */
#include "games.h"

enum { CELLS_X = 9, CELLS_Y = 8, CELLS = 72, OPENINGS = 8, PIXELS = 2, FAR = 10, GOAL_POINTS = 20 };

static const int8_t step_x[4] = {1, -1, 0, 0}, step_y[4] = {0, 0, -1, 1}; /* in the order of the pad's bits */

static uint8_t direction, done; /* pixels of the step that are done */
static uint8_t stack_x[CELLS], stack_y[CELLS];

static uint8_t below(uint8_t limit) {
    uint8_t drawn;
    do drawn = random8() & 15;
    while (drawn >= limit);
    return drawn;
}

static uint8_t is_cell(uint8_t x, uint8_t y) { return x < 18 && y > 1 && y < 17; }

/* Depth first: from the newest cell that has one, break through to a random cell that is still wall. */
static void dig(void) {
    uint8_t depth = 1, x, y, n, try, to_x, to_y;

    stack_x[0] = player_x;
    stack_y[0] = player_y;
    put(player_x, player_y, TILE_FLOOR);
    while (depth) {
        x = stack_x[depth - 1];
        y = stack_y[depth - 1];
        try = random8() & 3;
        for (n = 0; n != 4; n++, try = (try + 1) & 3) {
            to_x = x + 2 * step_x[try];
            to_y = y + 2 * step_y[try];
            if (is_cell(to_x, to_y) && row_of[to_y][to_x] == TILE_WALL) break;
        }
        if (n == 4) {
            depth--;
            continue;
        }
        put(x + step_x[try], y + step_y[try], TILE_FLOOR);
        put(to_x, to_y, TILE_FLOOR);
        stack_x[depth] = to_x;
        stack_y[depth++] = to_y;
    }
    for (n = 0; n != OPENINGS; n++) { /* so that there is more than one way */
        x = 2 + 2 * below(CELLS_X - 1);
        y = 2 + 2 * below(CELLS_Y);
        put(x, y, TILE_FLOOR);
    }
}

static void show_numbers(void) {
    digits(5, 0, goals, 3);
    digits(15, 0, score, 5);
}

static uint8_t distance(uint8_t a, uint8_t b) { return a > b ? a - b : b - a; }

static void next_maze(void) {
    uint8_t n;

    fill(TILE_WALL);
    for (n = 0; n != COLUMNS; n++) put(n, 0, TILE_EMPTY);
    text(0, 0, "GOAL");
    text(9, 0, "SCORE");
    show_numbers();
    dig();
    do {
        goal_x = 1 + 2 * below(CELLS_X);
        goal_y = 2 + 2 * below(CELLS_Y);
    } while (distance(goal_x, player_x) + distance(goal_y, player_y) < FAR);
    put(goal_x, goal_y, TILE_GOAL);
    put(player_x, player_y, TILE_SEEN);
    playing = 0; /* until the maze can be seen */
}

static void show_player(void) {
    uint8_t x = player_x << 3, y = player_y << 3, tile = TILE_SIDE;

    if (done) {
        x += step_x[direction] < 0 ? -(int8_t)done : step_x[direction] ? done : 0;
        y += step_y[direction] < 0 ? -(int8_t)done : step_y[direction] ? done : 0;
    }
    if (direction == 2) tile = TILE_BACK;
    if (direction == 3) tile = TILE_FRONT;
    sprite(0, x, y, tile, direction == 1 ? 0x20 : 0); /* looking left is looking right in a mirror */
}

void walk_begin(void) {
    player_x = 1 + 2 * below(CELLS_X);
    player_y = 2 + 2 * below(CELLS_Y);
    direction = 3;
    done = 0;
    hide_sprites();
    next_maze();
    show_player();
}

static void arrive(void) {
    uint8_t *tile;

    done = 0;
    player_x += step_x[direction];
    player_y += step_y[direction];
    tile = row_of[player_y] + player_x;
    if (*tile == TILE_FLOOR) {
        put(player_x, player_y, TILE_SEEN);
        score++;
        show_numbers();
    } else if (*tile == TILE_GOAL) {
        score += GOAL_POINTS;
        goals++;
        next_maze();
    }
}

void walk_frame(void) {
    uint8_t n, bit;

    if (!done) {
        for (n = 0, bit = 1; n != 4 && !(held & bit); n++, bit <<= 1) {
        }
        if (n == 4) return;
        direction = n;
        if (row_of[player_y + step_y[n]][player_x + step_x[n]] != TILE_WALL) done = PIXELS;
    } else {
        done += PIXELS;
        if (done == 8) arrive();
    }
    show_player();
}
