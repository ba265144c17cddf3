/**
 * limit_board: what an engine shows of its limits to other threads.
 *
 * The engine writes what has changed after each turn; readers copy, under a mutex that is held for
 * that only. Shown are limits that were set, and those that jobs use or wait for.
 */
#ifndef SCHEDULER_LIMIT_BOARD_H
#define SCHEDULER_LIMIT_BOARD_H

#include "base/arena.h"
#include "base/status.h"
#include "limit.pb-c.h"
#include "scheduler/engine/limits/limit.h"

struct limit_board;

struct limit_board *limit_board_new(void); /* owned */
void limit_board_free(struct limit_board *board);

/** The engine's side: what has changed (`board` may be NULL); that nothing is known any more. */
void limit_board_take(struct limit_board *board, struct limits *limits, int64_t now_us);
void limit_board_clear(struct limit_board *board);

/** All, in no order, or the one of `name` (empty: all). Lives as long as `arena`. */
status limit_board_list(struct limit_board *board, str name, struct arena *arena,
                        Pb__LimitList *ret_list, struct error *reterr);

/** The view of one limit. Its name is borrowed; what it holds lives as long as `arena`. False: no
 * memory. */
bool limit_view_fill(const struct limit *limit, int64_t now_us, struct arena *arena,
                     Pb__LimitView *ret_view);

#endif
