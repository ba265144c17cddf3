/**
 * refusal: the n-th asking for memory is refused, whoever asks: our code or a library below it.
 *
 * A program that links this has a malloc(), calloc(), realloc() and what is like them of its own,
 * which stand before the C library's or the address sanitizer's. Memory that is mapped, and what
 * the C library takes inside, is not counted. Any thread; one count for all of them.
 */
#ifndef REFUSAL_REFUSAL_H
#define REFUSAL_REFUSAL_H

#include <stdbool.h>
#include <stdint.h>

/** Counts from now on, from 1, and refuses the `nth`; with `is_lasting` all after it, too. 0: none.
 */
void refusal_begin(uint64_t nth, bool is_lasting);

/** Between them nothing is counted and nothing refused. */
void refusal_pause(void);
void refusal_resume(void);

/** Stops counting; returns how often memory was asked for. */
uint64_t refusal_end(void);

#endif
