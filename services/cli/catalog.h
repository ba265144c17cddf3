/** catalog: the functions that a definition may name, from files or from a server. */
#ifndef CLI_CATALOG_H
#define CLI_CATALOG_H

#include "cli/api.h"
#include "workflow/function_catalog.h"

/** The descriptions in such a file, as they stand there: an array, owned. */
status catalog_items_read(const char *file, json *ret_items, struct error *reterr);

/** Reads a list as `GET /v1/tools` answers it, or the list alone; JSON or YAML. A new reference.
 * INVALID_ARGUMENT: what is wrong with it. */
status catalog_read_file(const char *file, const struct function_catalog **ret_catalog,
                         struct error *reterr);

/** Asks the server. Returns what the command should exit with if that fails, after saying why. */
enum cli_exit catalog_ask(struct api *api, const struct function_catalog **ret_catalog);

/** The functions among `items` that are not built in. Owned. */
json catalog_without_builtin(json items);

#endif
