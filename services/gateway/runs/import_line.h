/**
 * import_line: a line of `tutti export` as the message that the scheduler takes, and back.
 *
 *     {"format": "tutti-run-2", "run": {…}, "history": […], "kept": {"id", "row", "definition",
 *      "entries": […], "payloads": […], "sha256"}}
 *
 * Only `kept` counts; the rest is for people and other programs. What is in it the scheduler reads.
 * Its checksum finds damage, not ill will: whoever may import may write such a line.
 *
 * Threads: any; nothing is shared.
 */
#ifndef GATEWAY_IMPORT_LINE_H
#define GATEWAY_IMPORT_LINE_H

#include "base/arena.h"
#include "base/status.h"
#include "run.pb-c.h"
#include "json/json_write.h"

enum {
    IMPORT_LINE_MAX  = 16 << 20, /* bytes, as the contract says of the body */
    IMPORT_LINES_MAX = 1'000,    /* of a body */
};

#define IMPORT_LINE_FORMAT "tutti-run-2"

/** Fills `ret_kept`, which lives as long as `arena` (of at least IMPORT_LINE_MAX bytes).
 * INVALID_ARGUMENT ("run_invalid"): what is wrong and what to do; RESOURCE_EXHAUSTED. */
status import_line_read(str line, struct arena *arena, Pb__KeptRun *ret_kept, struct error *reterr);

/** Writes the line without its end; members for people are the command line's to add. */
void import_line_write(struct json_writer *w, const Pb__KeptRun *kept);

/** The next line of `*rest` without its end, and moves past it. False: there is none. */
bool import_line_next(str *rest, str *ret_line);

#endif
