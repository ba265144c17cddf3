/**
 * cli: what every command of `tutti` gets, and how commands are described.
 *
 * Exit codes are for scripts: see enum cli_exit. With --json a command writes one JSON document (or
 * one per line, where it follows something) to standard output and nothing else.
 */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include "base/attr.h"
#include "base/status.h"
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

enum cli_exit {
    CLI_OK      = 0,
    CLI_FAILED  = 1, /* it was done and the result is bad: a run faulted, a definition is wrong */
    CLI_USAGE   = 2, /* the command line is wrong */
    CLI_REFUSED = 3, /* the server refused: no such thing, not allowed, not now */
    CLI_UNREACHABLE = 4, /* no server, or it failed */
    CLI_TIMEOUT     = 5, /* the wait was over first */
};

enum { CLI_ARGUMENTS_MAX = 64, CLI_FLAGS_MAX = 16 };

/** A flag of a command: `--name VALUE`, or `--name` alone. */
struct cli_flag {
    const char *name;  /* with its dashes: "--wait"; NULL ends a list */
    char letter;       /* 0: none */
    const char *value; /* placeholder for --help; NULL: the flag is alone */
    const char *doc;
};

struct cli {
    const char *url;       /* of the gateway */
    const char *key;       /* API key; NULL: none was found */
    const char *namespace; /* NULL: the key's */
    const char *data;      /* folder of `tutti up` */
    bool is_json;
    bool is_terminal; /* standard output is one */
    const struct cli_command *command;

    /* Of the command line, after the global flags were taken out. */
    const char *arguments[CLI_ARGUMENTS_MAX];
    int argument_count;
    const char *values[CLI_FLAGS_MAX]; /* by flag, in the command's order; "" for one alone */
};

struct cli_command {
    const char *name;
    const char *usage; /* what follows the name */
    const char *doc;   /* one line */
    const char *more;  /* for --help; NULL: nothing to add */
    int argument_min, argument_max;
    const struct cli_flag *flags; /* ends with a NULL name; NULL: none */
    enum cli_exit (*run)(struct cli *cli);
};

/** All of them; ends with a NULL name. */
extern const struct cli_command cli_commands[];
enum { CLI_COMMANDS_MAX = 64 };

enum cli_exit command_up(struct cli *cli);
enum cli_exit command_adapter(struct cli *cli);
enum cli_exit command_apply(struct cli *cli);
enum cli_exit command_validate(struct cli *cli);
enum cli_exit command_assistant(struct cli *cli);
enum cli_exit command_file(struct cli *cli);
enum cli_exit command_graph(struct cli *cli);
enum cli_exit command_run(struct cli *cli);
enum cli_exit command_list(struct cli *cli);
enum cli_exit command_show(struct cli *cli);
enum cli_exit command_logs(struct cli *cli);
enum cli_exit command_signal(struct cli *cli);
enum cli_exit command_approvals(struct cli *cli);
enum cli_exit command_approve(struct cli *cli);
enum cli_exit command_edit(struct cli *cli);
enum cli_exit command_reject(struct cli *cli);
enum cli_exit command_cancel(struct cli *cli);
enum cli_exit command_terminate(struct cli *cli);
enum cli_exit command_why(struct cli *cli);
enum cli_exit command_batch(struct cli *cli);
enum cli_exit command_bulk(struct cli *cli);
enum cli_exit command_export(struct cli *cli);
enum cli_exit command_import(struct cli *cli);
enum cli_exit command_erase(struct cli *cli);
enum cli_exit command_job(struct cli *cli);
enum cli_exit command_delete(struct cli *cli);
enum cli_exit command_compensate(struct cli *cli);
enum cli_exit command_restart(struct cli *cli);
enum cli_exit command_reset(struct cli *cli);
enum cli_exit command_draft(struct cli *cli);
enum cli_exit command_retry(struct cli *cli);
enum cli_exit command_fail(struct cli *cli);
enum cli_exit command_tasks(struct cli *cli);
enum cli_exit command_variables(struct cli *cli);
enum cli_exit command_retire(struct cli *cli);
enum cli_exit command_cache(struct cli *cli);
enum cli_exit command_dead_letters(struct cli *cli);
enum cli_exit command_pause(struct cli *cli);
enum cli_exit command_resume(struct cli *cli);
enum cli_exit command_tool(struct cli *cli);
enum cli_exit command_schedule(struct cli *cli);
enum cli_exit command_queue(struct cli *cli);
enum cli_exit command_workers(struct cli *cli);
enum cli_exit command_backup(struct cli *cli);
enum cli_exit command_breakers(struct cli *cli);
enum cli_exit command_limits(struct cli *cli);
enum cli_exit command_provider(struct cli *cli);
enum cli_exit command_budget(struct cli *cli);
enum cli_exit command_key(struct cli *cli);
enum cli_exit command_usage(struct cli *cli);
enum cli_exit command_audit(struct cli *cli);
enum cli_exit command_doctor(struct cli *cli);
enum cli_exit command_test(struct cli *cli);
enum cli_exit command_version(struct cli *cli);

/** The folder of `tutti up` where none is named: $XDG_DATA_HOME/tutti or ~/.local/share/tutti.
 * Written into `path`. */
void cli_default_data(char *path, size_t size);

#endif
