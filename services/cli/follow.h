/** follow: a run watched to its end, on a terminal or line by line. */
#ifndef CLI_FOLLOW_H
#define CLI_FOLLOW_H

#include "cli/api.h"

enum follow_style {
    FOLLOW_PROGRESS, /* one line that moves, on a terminal; else a line per phase */
    FOLLOW_EVENTS,   /* every event on a line */
    FOLLOW_JSON,     /* every event as JSON */
};

/** Follows `run` after event number `after` until its end. CLI_OK: it has ended, however. */
enum cli_exit follow_run(struct api *api, const struct cli *cli, const char *run, uint64_t after,
                         enum follow_style style, int64_t until_ms);

/** Prints one event of the history for people. */
void follow_print_event(json event);

#endif
