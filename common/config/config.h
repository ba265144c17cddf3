/**
 * config: file, environment and flags to a checked struct.
 *
 * A service declares each option once, in a table: where it stands in the file, what it may be, its
 * default, what it is for, and the field of the service's own struct that gets it. From that come
 * the checks, `--print-config`, `--help`, the JSON Schema and docs/configuration.md.
 *
 *     struct options {
 *         const char *store_path;
 *         uint64_t store_size_max;
 *         struct config_common common;
 *     };
 *     static const struct config_option table[] = {
 *         {"scheduler.store.path", CONFIG_PATH, offsetof(struct options, store_path),
 *          .fallback = "/var/lib/tutti", .doc = "Directory of the journal."},
 *         {"scheduler.store.size_max", CONFIG_SIZE, offsetof(struct options, store_size_max),
 *          .fallback = "64GiB", .min = 1 << 20, .doc = "Largest size of the store."},
 *     };
 *     static const struct config_set sets[] = {
 *         {table, ARRAY_LEN(table), 0},
 *         {config_common_options, CONFIG_COMMON_COUNT, offsetof(struct options, common)},
 *     };
 *     static const struct config_program program = {
 *         .name = "tutti-scheduler", .sets = sets, .set_count = ARRAY_LEN(sets)};
 *
 *     struct options options;
 *     CLEANUP(config_freep) struct config *config = NULL;
 *     int exit_code = config_main(&program, argc, argv, environ, &options, &config);
 *     if (exit_code != CONFIG_GO) return exit_code;
 *
 * Sources, later ones win: defaults; the file (`--config FILE`, TUTTI_CONFIG, else
 * /etc/tutti/tutti.yaml if it is there); the environment (TUTTI_SCHEDULER__STORE__PATH, `__`
 * between levels); flags (`--set scheduler.store.path=/data`). One file serves all services: a
 * program looks at the sections of its own options and passes over those of others, but a section
 * nobody has is an error, and so are unknown and repeated keys, wrong types, missing units.
 *
 * Threads: a loaded config is immutable; any thread may read it. The struct is the service's.
 */
#ifndef CONFIG_CONFIG_H
#define CONFIG_CONFIG_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/diagnostic.h"
#include "base/log.h"
#include "base/status.h"
#include "yaml/yaml.h"
#include "json/json.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    CONFIG_GO        = -1,        /* config_main(): go on */
    CONFIG_EXIT_BAD  = 78,        /* EX_CONFIG of sysexits.h */
    CONFIG_SIZE_MAX  = 512 << 10, /* bytes of the file */
    CONFIG_FLAGS_MAX = 100,       /* --set on one command line */
    CONFIG_ITEMS_MAX = 256,       /* of a list */
    CONFIG_PATH_MAX  = 200,       /* bytes of an option's path */
};

/** What an option may be, and the type of its field. */
enum config_kind {
    CONFIG_TEXT,     /* const char *; NULL if absent and without default */
    CONFIG_PATH,     /* const char *; a path in the file system */
    CONFIG_URL,      /* const char *; its scheme is one of `names`, if there are some */
    CONFIG_URLS,     /* const char *; one or more of them, separated by commas or spaces */
    CONFIG_BOOL,     /* bool; true or false */
    CONFIG_INT,      /* int64_t */
    CONFIG_SIZE,     /* uint64_t, bytes; "64MiB": B, KiB, MiB, GiB, TiB, kB, MB, GB, TB; or 0 */
    CONFIG_DURATION, /* int64_t, milliseconds; "30s", "250ms", "PT1H"; or 0 */
    CONFIG_ENUM,     /* int: index in `names` */
    CONFIG_LIST,     /* struct config_list of texts, each one of `names` if there are some;
                        comma-separated in environment and flags */
    CONFIG_SECRET,   /* struct config_secret; `{secret: NAME}` */
    CONFIG_TREE,     /* json, a view: the map as it stands, checked by the service with
                        config_found(); empty if absent. Single members can be set from environment
                        and flags. With CONFIG_IS_LIST a list, or a map of such single members. */
};

struct config_list {
    const char *const *items;
    size_t count;
};

/** A secret that was read. `name` is NULL and `value` empty if the option is absent. */
struct config_secret {
    const char *name; /* of the reference */
    str value;        /* NUL-terminated; known to the log as a secret */
};

enum config_flags {
    CONFIG_REQUIRED   = 1, /* absent and without default is an error */
    CONFIG_RELOADABLE = 2, /* SIGHUP changes it; all else needs a restart */
    CONFIG_IS_LIST    = 4, /* of a tree: it is a list, not a map */
};

struct config_option {
    const char *path; /* "scheduler.store.path": section first, snake_case */
    enum config_kind kind;
    size_t offset;            /* of the field, within the struct of its set */
    const char *fallback;     /* the default, as the environment would give it; NULL: absent */
    int64_t min;              /* of int, size (bytes), duration (ms) */
    int64_t max;              /* the same; 0: no maximum */
    const char *const *names; /* NULL-terminated: of an enum, schemes of a URL, items of a list */
    unsigned flags;           /* enum config_flags */
    const char *doc;          /* what it is for, in one sentence */
};

/** Options whose fields stand together, `base` bytes into the service's struct. */
struct config_set {
    const struct config_option *options;
    size_t count;
    size_t base;
};

struct config;

struct config_program {
    const char *name; /* "tutti-scheduler" */
    const struct config_set *sets;
    size_t set_count;

    /** What `--check-config` looks at besides: the trees, as the service reads them at its start.
     * Findings go to `list`. NULL: there is nothing else. */
    status (*check)(const struct config *config, const void *options, struct diagnostics *list,
                    struct error *reterr);
};

/** Options of every service: `log.level`, `log.format`; `secrets` belongs to config itself. */
struct config_common {
    int log_level;  /* enum log_level */
    int log_format; /* enum log_format */
    json secrets;   /* {"dir": PATH, NAME: {"file": PATH} | {"env": NAME}} */
};

enum { CONFIG_COMMON_COUNT = 3 };
extern const struct config_option config_common_options[CONFIG_COMMON_COUNT];

/** Begins the log of a service: level and form, and personal data stays out of it. */
void config_start_log(const char *service, const struct config_common *common);

/**
 * What main() calls. Loads and fills `*ret_options` (all of the struct that the sets describe) and
 * returns CONFIG_GO; `*ret_config` owns what the fields point to: config_free() at the end.
 *
 * Otherwise returns the exit code: 0 after `--help`, `--version`, `--print-config` (effective
 * values with their source; secrets by name), `--check-config`; CONFIG_EXIT_BAD after writing every
 * finding to standard error: `tutti.yaml:12:7: error: ...`.
 */
int config_main(const struct config_program *program, int argc, char *const *argv,
                char *const *environment, void *ret_options, struct config **ret_config);

/** Where the options come from. */
struct config_sources {
    const char *file;         /* NULL: none */
    char *const *environment; /* NAME=VALUE, NULL-terminated; NULL: none */
    const char *const *flags; /* path=value */
    size_t flag_count;
};

/**
 * The same without command line and output: for tests, the CLI and SIGHUP (load anew, compare,
 * swap; on failure the old one stays). Findings go to `list`. Fails with INVALID_ARGUMENT (a
 * finding) or NOT_FOUND (the file).
 */
status config_load(const struct config_program *program, const struct config_sources *sources,
                   void *ret_options, struct config **ret_config, struct diagnostics *list,
                   struct error *reterr);
void config_free(struct config *config);
void config_freep(struct config **config);

/** The sources it was loaded from, for loading anew. The environment is not copied. */
const struct config_sources *config_sources_of(const struct config *config);

/** What tells a file of a configuration from one that was written later. Zeroed: none. */
struct config_stamp {
    int64_t changed_ns;
    uint64_t size, inode;
};

/** Of the file it was loaded from, as it is now; zeroed: there is none, or nobody can look at it.
 */
struct config_stamp config_stamp_of(const struct config *config);

/** The same as it was before it was read: who writes the file from then on makes another one. */
struct config_stamp config_stamp_read(const struct config *config);
bool config_stamp_equal(const struct config_stamp *a, const struct config_stamp *b);

/** The path of an option that differs and needs a restart; NULL if there is none. */
const char *config_needs_restart(const struct config *before, const struct config *after);

/* --- trees -------------------------------------------------------------------------------------
 */

/**
 * A finding at `pointer` (of the whole file: "/llm/providers/openai/base_url"), with line and
 * column if it came from the file. The service checks its trees between config_load() and use;
 * findings of a tree are findings like others: `list->errors` says that there are some.
 */
PRINTF_LIKE(5, 6)
void config_found(const struct config *config, struct diagnostics *list, str pointer,
                  const char *hint, const char *format, ...);

/** Writes findings to standard error: `tutti.yaml:12:7: error: ...`, each with its fix. `file` is
 * that of config_sources_of(); NULL: none. */
void config_print_findings(const char *program, const char *file, const struct diagnostics *list);

/** The secret that `reference` (a value `{secret: NAME}` of a tree) names, read anew. `*ret_secret`
 * lives as long as `arena`. Fails with INVALID_ARGUMENT (no reference, or not usable), NOT_FOUND,
 * UNAVAILABLE. */
status config_secret_read(const struct config *config, json reference, struct arena *arena,
                          str *ret_secret, struct error *reterr);

/* Values of trees, in the notation of options: false if `value` is not one. */
bool config_size_from(json value, uint64_t *ret_size);
bool config_duration_from(json value, int64_t *ret_ms);

/* --- what is generated from the tables ---------------------------------------------------------
 */

/** Effective values as YAML, each with its source. */
bool config_print(const struct config *config, struct buf *out);

/** A table in Markdown, and a JSON Schema (2020-12) of the sections of this program. */
bool config_print_manual(const struct config_program *program, struct buf *out);
bool config_print_schema(const struct config_program *program, struct buf *out);

#endif
