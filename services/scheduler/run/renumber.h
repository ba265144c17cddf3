/**
 * renumber: entries of a run that move to another journal, where other numbers are in use.
 *
 * An entry names the one before it and payloads by numbers of its partition. Everything else in it
 * holds anywhere, and stays as it is, byte by byte.
 *
 * Pure functions on bytes; what is no entry is DATA_LOSS.
 */
#ifndef SCHEDULER_RENUMBER_H
#define SCHEDULER_RENUMBER_H

#include "base/buf.h"
#include "base/status.h"
#include "scheduler/run/payload.h"

struct run;

struct renumbering {
    uint64_t previous; /* of the entry; 0: none */
    /** The number of a payload from now on, which is not 0. `hash`: PAYLOAD_HASH_SIZE bytes, as the
     * reference has it. */
    status (*payload)(uint64_t payload, const uint8_t *hash, uint64_t *ret_payload, void *context,
                      struct error *reterr);
    void *context;
};

/** Appends the entry with its new numbers. Fails as `payload` does; RESOURCE_EXHAUSTED: `out` is
 * full. */
status entry_renumber(bytes entry, const struct renumbering *numbers, struct buf *out,
                      struct error *reterr);

/** The payloads of a run that was replayed from entries before they were renumbered: each number
 * grows by `base`. */
void run_renumber_payloads(struct run *run, uint64_t base);

#endif
