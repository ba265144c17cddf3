/* The scheduler's options, after file, environment and command line were merged and checked. */
#ifndef SCHEDULER_CONFIG_H
#define SCHEDULER_CONFIG_H

#include "config/config.h"
#include "config/rpc_options.h"

struct options {
    const char *listen;      /* of calls */
    const char *long_listen; /* of long calls; NULL: follows from `listen` */
    const char *hint_listen; /* of hints; NULL: none are published */
    const char *admin_host;
    int64_t admin_port;
    const char *store_path;
    uint64_t store_map_size;  /* bytes, per partition */
    const char *backup_path;  /* NULL: none */
    int64_t backup_every_ms;  /* 0: only when asked for */
    int64_t backup_keep_ms;   /* 0: for ever */
    const char *archive_path; /* NULL: none */
    int64_t archive_interval_ms;
    uint64_t archive_segment_size, archive_backlog_size; /* bytes */
    int64_t partitions;
    struct config_list owned; /* indexes; empty: all */
    const char *peers;        /* endpoints of all schedulers; NULL: this one owns all partitions */
    int64_t drain_ms;
    int64_t job_timeout_ms;
    int64_t heartbeat_timeout_ms;
    int64_t retention_ms;    /* of finished runs; 0: for ever */
    int64_t letters_keep_ms; /* likewise, of dead letters */
    int64_t erasures_keep_ms;
    json retention_rules;
    bool audit;
    int64_t audit_keep_ms; /* 0: for ever */
    int64_t cache_entries; /* of calls, per namespace, as the next one */
    uint64_t cache_size;   /* bytes */
    uint64_t cache_value_size;
    json secrets; /* of workflows, by namespace and name */
    int64_t breaker_failures, breaker_window_ms, breaker_open_ms, breaker_successes;
    json targets;            /* their limits, by name */
    const char *secrets_dir; /* NULL: none */
    bool four_eyes;
    bool one_cpu;
    const char *bootstrap_key_file; /* NULL: no key is made */
    struct config_common common;
    struct config_rpc rpc;
};

extern const struct config_program scheduler_program;

#endif
