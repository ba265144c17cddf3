/**
 * engine_files: stored files (tables/file_store.h) in the system partition: pieces as they come,
 * and what goes. Part of the engine.
 *
 * Nothing of a file's size is done in one turn: a piece is written by each command, and what was
 * deleted, has expired or was never finished goes FILE_ROWS_PER_TURN rows at a time. A restart goes
 * on where it was.
 */
#ifndef SCHEDULER_ENGINE_FILES_H
#define SCHEDULER_ENGINE_FILES_H

#include "scheduler/engine/engine_internal.h"

enum {
    FILE_ROWS_PER_TURN = 64,
    FILES_MAX          = 100'000, /* of all namespaces */
};

/** COMMAND_BEGIN_FILE, COMMAND_APPEND_FILE, COMMAND_DELETE_FILE: Pb__BeginFile, Pb__AppendFile,
 * Pb__FileAt -> Pb__StoredFile. Sizes were checked by the service. */
status engine_begin_file(struct engine *engine, struct command *command, struct error *reterr);
status engine_append_file(struct engine *engine, struct command *command, struct error *reterr);
status engine_delete_file(struct engine *engine, struct command *command, struct error *reterr);

/** Takes a piece of what is due away. */
status engine_files_due(struct engine *engine, struct error *reterr);

/** Sets file_due_us from the table. */
status engine_peek_files(struct engine *engine, struct error *reterr);

#endif
