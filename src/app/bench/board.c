#include "app/bench/board.h"

#include <sys/mman.h>

struct board *board_new(uint32_t workers)
{
    size_t size = sizeof(struct board) + workers * sizeof(struct board_seat);
    struct board *board = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (board == MAP_FAILED)
        return NULL;
    board->workers = workers;
    board->size = size;
    return board;
}

void board_free(struct board *board)
{
    if (board)
        munmap(board, board->size);
}
