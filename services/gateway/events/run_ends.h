/**
 * run_ends: ends of runs that travel with the answers to starts.
 *
 * A gateway that starts runs while others are waited for asks beside its starts what has ended
 * (Runs.Ends): call and answer lie in messages that travel anyway, and the parked Runs.Pull is left
 * for ends that no start passes by. An answer is acknowledged by the next Ends or Pull; if one does
 * not come, the next Pull says so and is told what it told. A scheduler that does not know the call
 * is not asked again before it is reached anew.
 *
 * Threads: any, but for run_ends_new() and _free(); `told` is called on a thread of the RPC
 * library.
 */
#ifndef GATEWAY_RUN_ENDS_H
#define GATEWAY_RUN_ENDS_H

#include "gateway/api/api.h"
#include "rpc/rpc_client.h"

struct run_ends;

/** `answer`: a Pb__TakenEnds with ends in it, owned by who is told; NULL: an answer was lost, so
 * that the next Pull of the partition is to be made now. */
typedef void run_ends_told(uint16_t partition, struct rpc_answer *answer, void *context);

/** Owned: run_ends_free(). */
struct run_ends *run_ends_new(const struct api *api, run_ends_told *told, void *context);
void run_ends_free(struct run_ends *ends);

/** How many runs are waited for now. While there are none, nothing is asked. */
void run_ends_expect(struct run_ends *ends, size_t count);

/** A start whose end is to be told has been asked for; run_ends_ask() follows in the same turn. */
void run_ends_started(struct run_ends *ends, uint16_t partition);

/** Asks the partitions that runs were started at. At the end of a loop's turn, before what it has
 * asked for leaves. */
void run_ends_ask(struct run_ends *ends);

/** What a Pull has to say of answers: `ret_taken` has room for RUN_ENDS_TAKEN_MAX numbers. */
enum { RUN_ENDS_TAKEN_MAX = 64 };
size_t run_ends_receipt(struct run_ends *ends, uint16_t partition,
                        uint64_t ret_taken[static RUN_ENDS_TAKEN_MAX], uint64_t *ret_over);

/** The scheduler was reached again, perhaps as another release. */
void run_ends_reconnected(struct run_ends *ends);

#endif
