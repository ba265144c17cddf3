/* adapter_source: a manifest with its text, from a file or built in, for the commands of `adapter`.
 */
#ifndef CLI_ADAPTER_SOURCE_H
#define CLI_ADAPTER_SOURCE_H

#include "adapter/manifest.h"
#include "base/buf.h"
#include "cli/cli.h"

enum { ADAPTER_ARENA_MAX = 64 << 20 /* bytes */ };

struct adapter_source {
    const char *path; /* of a file, or the name of the built-in one */
    struct buf text;
    struct diagnostics *list;
    struct manifest *manifest; /* NULL: it is wrong */
};

/** Reads one. False: it is no manifest, and that has been said on standard error (unless
 * `is_quiet`, which leaves findings to the caller). Release in any case. */
bool adapter_source_read(struct adapter_source *source, const char *path, struct arena *arena,
                         bool is_quiet);
bool adapter_source_builtin(struct adapter_source *source, const char *name, struct arena *arena);
void adapter_source_done(struct adapter_source *source);

/* The longer ones of the commands; each has a file of its own. */
enum cli_exit adapter_render(struct cli *cli);
enum cli_exit adapter_new(struct cli *cli);
enum cli_exit adapter_test(struct cli *cli);
enum cli_exit adapter_try(struct cli *cli);
enum cli_exit adapter_import(struct cli *cli);

/* Where their flags stand. */
enum {
    ADAPTER_FLAG_PARAMS,
    ADAPTER_FLAG_ALL,
    ADAPTER_FLAG_FILE,
    ADAPTER_FLAG_CALLS,
    ADAPTER_FLAG_OPERATIONS,
    ADAPTER_FLAG_NAME,
    ADAPTER_FLAG_CONNECTION,
};

#endif
