/**
 * file_arguments: stored files among the arguments of an action, and how a file in its answer is to
 * be kept.
 *
 *     body: {file: 01M8...}            a parameter with `format: blob`
 *     file: 01M8...                    one with `format: file`, also deep within maps and lists
 *     keep: {subject: ann}             one with `format: keep`: {name, subject, expires_in}
 *
 * Of a file in place of a blob an expression sees {file, name, mime, size, sha256}, never its
 * bytes.
 *
 * A blob that comes as a text or {base64, mime?} is measured, too, and looked at.
 *
 * Pure, but for a view of the files. Any thread.
 */
#ifndef TOOL_ADAPTER_FILES_FILE_ARGUMENTS_H
#define TOOL_ADAPTER_FILES_FILE_ARGUMENTS_H

#include "adapter/manifest.h"
#include "tool-adapter/files/file_set.h"
#include "tool-adapter/files/file_upload.h"

/** The ids in `params`, views of it; returns how many: FILE_SET_MAX + 1 means too many. */
size_t file_arguments_find(const struct manifest_action *action, json params,
                           str ret_ids[FILE_SET_MAX + 1]);

/** Says of each blob what it is. INVALID_ARGUMENT: the action does not take files of its type, or
 * of its size (`mime`, `max_size` beside the format). */
status file_arguments_fill(const struct manifest_action *action, const struct file_set *files,
                           json *params, struct error *reterr);

/** The same of each blob that is no stored file. `types`: NULL: nobody can look; sizes count
 * anyway. INVALID_ARGUMENT begins with the argument's pointer. */
status file_arguments_look(const struct manifest_action *action, json params,
                           struct media_types *types, struct error *reterr);

/** The bytes of the blob `name` (NULL: of none), a view of `params`, of the file or in the arena.
 * INVALID_ARGUMENT names it. */
status file_arguments_blob(json params, const char *name, const struct file_set *files,
                           struct arena *arena, str *ret_blob, struct error *reterr);

/** How an answer is to be kept; `*ret_keeps` false: not at all. Views of `params`.
 * INVALID_ARGUMENT names the member. */
status file_arguments_keep(const struct manifest_action *action, json params, int64_t now_us,
                           bool *ret_keeps, struct file_keep *ret_keep, struct error *reterr);

/** What is shown of a stored file that was kept: {file, name, mime, size, sha256}. Owned. */
json file_arguments_shown(const Pb__StoredFile *file);

#endif
