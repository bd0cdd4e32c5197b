/* A bishop walks over a board, two bits a step, and leaves marks. */
#include "client/randomart.h"

#include <stdio.h>

#define WIDTH  17
#define HEIGHT 9
#define MARKS  " .o+=*BOX@%&#/^SE" /* how often he was there; the last two: start and end */
#define START  15
#define END    16

/* "+--[text]--+", the text in the middle; left out where it is too long. */
static void frame_line(char line[WIDTH + 3], const char *text)
{
    size_t length = strlen(text) + 2;
    memset(line, '-', WIDTH + 2);
    line[0] = line[WIDTH + 1] = '+';
    line[WIDTH + 2] = '\0';
    if (length <= WIDTH) {
        char *at = line + 1 + (WIDTH - length) / 2;
        at[0] = '[';
        memcpy(at + 1, text, length - 2);
        at[length - 1] = ']';
    }
}

static void walk(struct slice digest, uint8_t board[HEIGHT][WIDTH])
{
    int x = WIDTH / 2, y = HEIGHT / 2;
    for (size_t i = 0; i < 4 * digest.len; i++) {
        unsigned step = digest.ptr[i / 4] >> (2 * (i % 4));
        x = MIN(MAX(x + (step & 1 ? 1 : -1), 0), WIDTH - 1);
        y = MIN(MAX(y + (step & 2 ? 1 : -1), 0), HEIGHT - 1);
        if (board[y][x] < START - 1)
            board[y][x]++;
    }
    board[HEIGHT / 2][WIDTH / 2] = START;
    board[y][x] = END;
}

char *randomart(struct slice digest, const char *title, const char *hash)
{
    uint8_t board[HEIGHT][WIDTH] = {0};
    char picture[(HEIGHT + 2) * (WIDTH + 3) + 1];
    char *at = picture;
    walk(digest, board);
    frame_line(at, title);
    at += WIDTH + 2;
    *at++ = '\n';
    for (int y = 0; y < HEIGHT; y++) {
        *at++ = '|';
        for (int x = 0; x < WIDTH; x++)
            *at++ = MARKS[board[y][x]];
        *at++ = '|';
        *at++ = '\n';
    }
    frame_line(at, hash);
    return mem_strdup(picture);
}
