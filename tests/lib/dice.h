/* dice.h - chance from a seed: the same every time (splitmix64). */
#ifndef SWALE_TEST_DICE_H
#define SWALE_TEST_DICE_H

#include <stdint.h>

struct dice {
    uint64_t state;
};

static inline uint64_t dice_next(struct dice *dice)
{
    uint64_t z = dice->state += 0x9e3779b97f4a7c15;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
}

/* 0 to below - 1; the bias does not matter here. */
static inline uint32_t dice_roll(struct dice *dice, uint32_t below)
{
    return (uint32_t)(dice_next(dice) % below);
}

#endif
