/* A configuration that was loaded: one value for each option, and where it came from. */
#ifndef CONFIG_CONFIG_INTERNAL_H
#define CONFIG_CONFIG_INTERNAL_H

#include "config/config.h"

enum config_origin {
    CONFIG_FROM_NOWHERE, /* absent, and no default */
    CONFIG_FROM_DEFAULT,
    CONFIG_FROM_FILE,
    CONFIG_FROM_ENVIRONMENT,
    CONFIG_FROM_FLAG,
};

/* Texts of origins live as long as the config, or the table. */
struct config_source {
    enum config_origin origin;
    const char *name;    /* of the variable or flag; NULL for the others */
    uint32_t line;       /* in the file */
    uint32_t column;     /* in the file */
    const char *pointer; /* in the file; "" for the others */
};

struct config_value {
    const struct config_option *option;
    size_t offset; /* of the field in the service's struct */
    json value;    /* owned, in the form of config_convert(); JSON_INVALID: absent */
    struct config_source source;
};

struct config {
    struct arena *arena; /* owned */
    const struct config_program *program;
    struct config_sources sources;
    struct config_stamp stamp;      /* of the file, from before it was read */
    struct yaml_document *document; /* owned; NULL without a file */
    struct config_value *values;    /* owned */
    size_t count;
};

/* State of one config_load(). */
struct config_loader {
    struct config *config;
    struct diagnostics *list;
};

/** A finding about a source. */
PRINTF_LIKE(4, 5)
void config_loader_found(struct config_loader *loader, const struct config_source *source,
                         const char *hint, const char *format, ...);

/** A copy that lives as long as the config. */
const char *config_keep(struct config *config, str text);

/* --- options by path: option.c -----------------------------------------------------------------
 */

/** The value whose option has this path; NULL if there is none. */
struct config_value *config_value_at(struct config *config, str path);

/** The option that `path` lies in: a tree, or the `.secret` of a secret. `*ret_rest` is what
 * follows the dot. */
struct config_value *config_value_around(struct config *config, str path, str *ret_rest);

/** Says whether options lie below this path; "" is the whole. */
bool config_has_below(const struct config *config, str path);

/** Says whether the section is one of ours, or of another program: then it is passed over. */
bool config_is_foreign_section(const struct config *config, str section);

/** The name nearest to the last part of `path` among those that may stand there, or NULL. */
const char *config_nearest(const struct config *config, str path);

/* --- values: convert.c -------------------------------------------------------------------------
 */

/**
 * Turns what a source says into the value of an option: texts, paths, URLs and names of an enum are
 * texts; sizes bytes, durations milliseconds; lists arrays of texts; a secret the name of its
 * reference; a tree what it is. `is_text`: from the environment, a flag, or a default. NULL if it
 * is good, else what it must be; `*ret_hint` helps. `*ret_value` is owned.
 */
const char *config_convert(const struct config_option *option, json given, bool is_text,
                           struct arena *arena, json *ret_value, const char **ret_hint);

/** The other way, for people: "64MiB", "30s", "[a, b]". */
bool config_put_value(const struct config_option *option, json value, struct buf *out);

/** Writes the field. Secrets are filled in by their reader. */
void config_fill(const struct config_value *value, struct arena *arena, void *options);

/* --- sources: source.c -------------------------------------------------------------------------
 */

void config_read_file(struct config_loader *loader, str text);
void config_read_environment(struct config_loader *loader);
void config_read_flags(struct config_loader *loader);

/** Where a value came from, in words: "tutti.yaml:3:7", "environment TUTTI_LOG__LEVEL". */
bool config_put_source(const struct config *config, const struct config_source *source,
                       struct buf *out);

/* --- secrets: reference.c ----------------------------------------------------------------------
 */

/** Reads the secret of this name. It lives as long as `arena`. */
status config_named_secret(const struct config *config, str name, struct arena *arena,
                           str *ret_secret, struct error *reterr);

/** The path of a secret's file if everybody may read it; else NULL. */
const char *config_open_secret(const struct config *config, str name, struct arena *arena);

/** Finds texts in a tree where only a reference to a secret may stand. */
void config_find_literals(struct config_loader *loader, const struct config_value *value);

#endif
