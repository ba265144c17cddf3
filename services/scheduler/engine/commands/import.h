/**
 * import: runs that have ended elsewhere. Their rows are written as if they had ended here, and
 * nothing follows from it: nobody is told, no job is made. The reader (kept_run.h) has folded the
 * journal, so what is written is what this program would have written.
 *
 * Threads: the engine's.
 */
#ifndef SCHEDULER_IMPORT_H
#define SCHEDULER_IMPORT_H

#include "scheduler/engine/engine_internal.h"

/** COMMAND_IMPORT_RUN. The same run again changes nothing; one of its id with another history is
 * refused (ALREADY_EXISTS, "run_id_in_use"). */
status engine_import_run(struct engine *engine, struct command *command, struct error *reterr);

#endif
