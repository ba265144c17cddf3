/* The commands: what each is called with, one line each; what they do is in cmd_*.c. */
#include "cli/cli.h"

/* clang-format off */
static const struct cli_flag up_flags[] = {
    {"--port", 0, "N", "port of the HTTP API (8080)"},
    {"--config", 0, "FILE", "configuration of the services"},
    {"--set", 0, "PATH=VALUE", "one setting; see docs/configuration.md"},
    {"--quiet", 'q', NULL, "say nothing but errors"},
    {},
};
static const struct cli_flag run_flags[] = {
    {"--input", 'i', "JSON|@FILE", "the run's input"},
    {"--id", 0, "ID", "an id of your own: the same id never starts twice"},
    {"--wait", 'w', NULL, "wait for the end and print the output"},
    {"--follow", 'f', NULL, "show progress until the end, then the output"},
    {"--timeout", 0, "DURATION", "give up waiting after this long (24h)"},
    {"--label", 'l', "KEY=VALUE", "a label"},
    {"--priority", 0, "0..9", "9 goes first"},
    {"--draft", 0, NULL, "let it wait until `tutti draft RUN --approve`"},
    {"--deadline", 0, "TIME", "when it has to be over, such as 2030-01-31T12:00:00Z"},
    {"--on-conflict", 0, "WHAT", "if a run has the id: reject (default), return or terminate it"},
    {},
};
static const struct cli_flag signal_flags[] = {
    {"--start", 0, "WORKFLOW", "start a run of this if there is none with the id RUN"},
    {"--input", 'i', "JSON|@FILE", "the input of that run"},
    {},
};
static const struct cli_flag list_flags[] = {
    {"--status", 0, "STATUS", "only these: running, waiting, completed, faulted, ..."},
    {"--workflow", 0, "NAME", "only runs of this workflow"},
    {"--label", 'l', "KEY=VALUE", "only runs with this label"},
    {"--limit", 'n', "N", "at most so many (20)"},
    {"--after", 0, "TIME", "only runs created at 2030-01-31T12:00:00Z or later"},
    {"--before", 0, "TIME", "only runs created before that"},
    {},
};
static const struct cli_flag export_flags[] = {
    {"--status", 0, "STATUS", "only these: completed, faulted, cancelled, terminated"},
    {"--workflow", 0, "NAME", "only runs of this workflow"},
    {"--label", 'l', "KEY=VALUE", "only runs with this label"},
    {},
};
static const struct cli_flag logs_flags[] = {
    {"--follow", 'f', NULL, "go on until the run has ended"},
    {"--after", 0, "N", "only events after number N"},
    {},
};
static const struct cli_flag decide_flags[] = {
    {"--comment", 'c', "TEXT", "goes with the decision"},
    {"--data", 'd', "JSON|@FILE", "checked against the approval's form"},
    {},
};
static const struct cli_flag edit_flags[] = {
    {"--payload", 'p', "JSON|@FILE", "a merge patch of what is asked"},
    {"--approvers", 0, "LIST", "who may decide: key:NAME,LABEL:VALUE"},
    {"--due", 0, "TIME", "until when, such as 2030-01-31T12:00:00Z; or never"},
    {},
};
static const struct cli_flag cancel_flags[] = {
    {"--reason", 'r', "TEXT", "is shown with the run"},
    {},
};
static const struct cli_flag retry_flags[] = {
    {"--task", 't', "REFERENCE", "only if it was this task that failed: /do/1/pay"},
    {"--patch", 'p', "JSON|@FILE", "changes the arguments of the call, or the input of the task"},
    {},
};
static const struct cli_flag tasks_flags[] = {
    {"--task", 't', "REFERENCE", "only this one: /do/1/pay"},
    {},
};
static const struct cli_flag fail_flags[] = {
    {"--task", 't', "REFERENCE", "only this task: /do/1/pay"},
    {},
};
static const struct cli_flag batch_flags[] = {
    {"--max-concurrent", 'm', "N", "only so many of them are at work at once"},
    {"--label", 'l', "KEY=VALUE", "a label for all of them"},
    {},
};
static const struct cli_flag bulk_flags[] = {
    {"--status", 0, "STATUS", "runs of this status"},
    {"--workflow", 0, "NAME", "runs of this workflow"},
    {"--label", 'l', "KEY=VALUE", "runs with this label"},
    {"--before", 0, "TIME", "runs created before 2030-01-31T12:00:00Z"},
    {"--reason", 'r', "TEXT", "is shown with the runs"},
    {"--dry-run", 0, NULL, "only say what would come of it"},
    {"--force", 0, NULL, "delete: also those that have not ended"},
    {"--after", 0, "TIME", "runs created at that time or later"},
    {},
};
static const struct cli_flag erase_flags[] = {
    {"--label", 'l', "KEY=VALUE", "instead of RUN: all runs with this label that have ended"},
    {"--dry-run", 0, NULL, "only say what would come of it"},
    {},
};
static const struct cli_flag restart_flags[] = {
    {"--id", 0, "ID", "an id of your own for the new run"},
    {"--version", 0, "VERSION", "of the workflow; without it the same one"},
    {},
};
static const struct cli_flag draft_flags[] = {
    {"--patch", 'p', "JSON|@FILE", "a merge patch of its input"},
    {"--approve", 0, NULL, "check the input and start it"},
    {"--comment", 'c', "TEXT", "goes with the approval"},
    {},
};
static const struct cli_flag delete_flags[] = {
    {"--force", 0, NULL, "terminate it first if it has not ended; also one that cannot be read"},
    {},
};
static const struct cli_flag letters_flags[] = {
    {"--patch", 'p', "JSON|@FILE", "redrive: changes the arguments of the call"},
    {"--rate", 'r', "COUNT/TIME", "redrive-all: so many in a time, by and by: 10/1m"},
    {"--error-type", 0, "TYPE", "redrive-all, list, causes: only errors of this type"},
    {"--function", 'f', "NAME", "likewise: only calls of this function"},
    {},
};
static const struct cli_flag cache_flags[] = {
    {"--prefix", 'p', "TEXT", "clear: only of functions that begin with it: web."},
    {"--function", 'f', "NAME", "clear: only of this one, with a version or without: llm.chat"},
    {"--workflow", 'w', "NAME", "clear: only what runs of this workflow have asked for"},
    {},
};
static const struct cli_flag queue_flags[] = {
    {"--concurrency", 0, "N|none", "set: at most N jobs leased at once"},
    {"--rate", 0, "COUNT/TIME|none", "set: at most so many starts in a time: 100/1m"},
    {"--redrive", 0, "JSON|@FILE|none",
     "set: which dead letters go again: {\"errors\", \"after\", \"times\", \"rate\"}"},
    {"--key-concurrency", 0, "N|none", "set: the same of the jobs of each key; none: also no rate"},
    {"--key-rate", 0, "COUNT/TIME", "set: likewise"},
    {},
};
static const struct cli_flag limits_flags[] = {
    {"--concurrency", 0, "N", "set: at most N calls under way at once"},
    {"--rate", 0, "COUNT/TIME", "set: at most so many starts in a time: 100/1m"},
    {"--tokens", 0, "COUNT/TIME", "set: at most so many tokens in a time, of models: 90000/1m"},
    {},
};
static const struct cli_flag file_flags[] = {
    {"--name", 0, "NAME", "put: its name, in place of the file's own"},
    {"--type", 0, "TYPE", "put: its media type, if its bytes and ending cannot tell"},
    {"--subject", 0, "WHO", "put: whose it is; list, delete: those of this subject"},
    {"--expires", 0, "DURATION", "put: it is deleted then, say 30d"},
    {"--output", 'o', "FILE", "get: written there; else to standard output"},
    {},
};

static const struct cli_flag assistant_flags[] = {
    {"--name", 0, "NAME", "put: instead of the file's `name`"},
    {"--label", 'l', "KEY=VALUE", "list: only assistants with this label"},
    {},
};
static const struct cli_flag schedule_flags[] = {
    {"--id", 0, "ID", "create: a name of your own"},
    {"--cron", 0, "CRON", "create: minute, hour, day, month, weekday"},
    {"--every", 0, "SPAN", "create: at each multiple of it since 1970, UTC"},
    {"--at", 0, "TIME", "create: once, such as at 2030-01-31T12:00:00Z"},
    {"--time-zone", 0, "NAME", "create: of the cron, such as Europe/Berlin (UTC)"},
    {"--overlap", 0, "WHAT", "create: skip, queue, allow or replace; backfill: queue or allow"},
    {"--catch-up", 0, "SPAN", "create: how late a start may be (24h)"},
    {"--jitter", 0, "SPAN", "create: starts are up to this much later"},
    {"--input", 'i', "JSON|@FILE", "create: the input of its runs"},
    {"--label", 'l', "KEY=VALUE", "create: a label of its runs"},
    {"--paused", 0, NULL, "create: start nothing until `resume`"},
    {"--count", 'n', "N", "upcoming: so many (10)"},
    {},
};
static const struct cli_flag provider_flags[] = {
    {"--file", 0, "FILE", "key set: the file that has the key (standard input)"},
    {"--secret", 0, "NAME", "key set: a secret of the llm-proxies in place of a value"},
    {},
};
static const struct cli_flag budget_flags[] = {
    {"--scope", 0, "SCOPE", "set: namespace, label:KEY=VALUE, key:ID or run:ID"},
    {"--usd", 0, "DOLLARS", "set: at most so much money: 20, 0.5"},
    {"--tokens", 0, "N", "set: at most so many tokens, input and output together"},
    {"--period", 0, "PERIOD", "set: total (default), or day: it begins anew every day"},
    {"--time-zone", 0, "NAME", "set: of the day, such as Europe/Berlin (UTC)"},
    {"--on-spent", 0, "WHAT", "set: refuse (default) the call, or pause its run"},
    {"--unpriced", 0, "WHAT", "set: refuse (default) or allow models without a price"},
    {},
};
static const struct cli_flag usage_flags[] = {
    {"--by", 0, "WHAT", "day (default), key, workflow, provider, model or label:KEY"},
    {"--from", 0, "DAY", "the first day, such as 2026-11-01 (30 days in all)"},
    {"--to", 0, "DAY", "the last day (today)"},
    {},
};
static const struct cli_flag key_flags[] = {
    {"--role", 0, "ROLE,...", "create: what it may do; several by commas"},
    {"--in", 0, "NAMESPACE", "create: the only one it reaches, or `*` for all (yours)"},
    {"--expires", 0, "SPAN", "create: from now, such as 90d (never)"},
    {"--label", 'l', "KEY=VALUE,...", "create: labels, by which approvals name their approvers"},
    {"--usd", 0, "DOLLARS", "create: a budget: at most so much money"},
    {"--tokens", 0, "N", "create: a budget: at most so many tokens"},
    {"--period", 0, "PERIOD", "create: of the budget: total (default) or day"},
    {"--overlap", 0, "SPAN", "rotate: how long the secret before is still good (24h)"},
    {"--limit", 0, "WHAT=N,...",
     "create: requests, starts, tokens a minute; parallel calls of models"},
    {},
};
static const struct cli_flag audit_flags[] = {
    {"--actor", 0, "KEY", "list: only of this API key, by its id"},
    {"--action", 0, "NAME", "list: an operation, such as cancelRun, or outsideWrite"},
    {"--resource", 0, "PATH", "list: such as /v1/workflows/order, with what is below it"},
    {"--run", 0, "RUN", "list: about this run"},
    {"--result", 0, "WHAT", "list: done, refused, failed, unknown or lost"},
    {"--from", 0, "TIME", "list: recorded at this time or later; also a day"},
    {"--to", 0, "TIME", "list: recorded before"},
    {"--limit", 0, "N", "list: at most so many (50)"},
    {"--page", 0, "TOKEN", "list: go on where a list before has ended"},
    {"--expect", 0, "NUMBER:HASH", "verify: what it has printed before still holds"},
    {},
};
static const struct cli_flag backup_flags[] = {
    {"--to", 0, "DATA", "restore: the folder to make; under `tutti up` it is DIR/store"},
    {"--archive", 0, "FOLDER", "restore: then do again what stands in this archive"},
    {"--until", 0, "TIME", "restore: up to then, such as 2026-11-22T10:00:00Z (the archive's end)"},
    {"--erasures", 0, "FOLDER", "restore: where the lists of erasures are (beside the backup)"},
    {},
};
static const struct cli_flag doctor_flags[] = {
    {"--ready", 0, NULL, "only ask whether the suite takes work"},
    {},
};

static const struct cli_flag validate_flags[] = {
    {"--portable", 0, NULL, "also say what other runtimes ignore or do otherwise"},
    {"--plan", 0, NULL, "also list the jobs, with their queues, retries and time limits"},
    {"--catalog", 0, "PATH", "a list as of `tutti tool list --json`, or a folder"},
    {"--resolve", 0, "URL=FILE", "what is at a URL is in a file; several: separated by commas"},
    {"--server", 0, NULL, "with the functions that the server has"},
    {},
};
static const struct cli_flag test_flags[] = {
    {"--only", 0, "TEXT", "only cases whose name has it"},
    {"--catalog", 0, "FILE", "functions as `tutti tool list --json` prints them"},
    {"--junit", 0, "FILE", "also write the outcome as JUnit XML"},
    {},
};
static const struct cli_flag tool_flags[] = {
    {"--arguments", 0, "JSON", "of `invoke`: a map, @FILE, or - for standard input"},
    {"--connection", 0, "NAME", "of `invoke`: whose account; default: that of the adapter's name"},
    {"--dry-run", 0, NULL, "of `invoke`: show what would be sent, secrets as ***"},
    {},
};

static const struct cli_flag adapter_flags[] = {
    {"--params", 0, "JSON|@FILE", "render: the parameters in place of the example's"},
    {"--all", 0, NULL, "render: every action, as a list"},
    {"--file", 'f', "FILE", "render, test: this manifest, not a built-in one"},
    {"--calls", 0, "JSON|@FILE", "render: these calls, [{\"function\": F, \"params\": {}}, ...]"},
    {"--operations", 0, "A,B", "import-openapi: only these: operationId, get/path or workflowId"},
    {"--name", 0, "NAME", "import-openapi: of the adapter"},
    {"--connection", 0, "NAME", "test: also its reads, live, by the server's connection"},
    {},
};
static const struct cli_flag graph_flags[] = {
    {"--format", 0, "FORMAT", "mermaid (default), svg or json"},
    {"--catalog", 0, "PATH", "functions, as for `validate`"},
    {},
};

const struct cli_command cli_commands[] = {
    {"up", "[--data DIR] [--port N]", "start the whole suite on this machine",
     "Creates DIR, starts gateway, scheduler, tool-adapter and llm-proxy, restarts one that dies,\n"
     "and drains them on Ctrl-C. DIR/admin.key holds the first key, DIR/endpoints.json all\n"
     "addresses, DIR/log what the services say.",
     0, 0, up_flags, command_up},
    {"apply", "FILE...", "register workflows", NULL, 1, CLI_ARGUMENTS_MAX, NULL, command_apply},
    {"retire", "NAME:VERSION", "take a version of a workflow away",
     "Refused while runs that have not ended are pinned to it, or a schedule starts it.", 1, 1,
     NULL, command_retire},
    {"validate", "FILE...", "check workflows, without a server",
     "Without a catalog only the functions that are built in are known. What a workflow names by\n"
     "URL is not read over the network; what is in no file is a warning. A folder for --catalog\n"
     "holds functions/NAME/VERSION/function.yaml, and stands for every catalog of a workflow.",
     1, CLI_ARGUMENTS_MAX, validate_flags, command_validate},
    {"test", "FILE...", "play the cases of workflows, without a server",
     "FILE is `<workflow>.test.yaml`, or the workflow beside it. Calls are answered by stand-ins,\n"
     "time is virtual: a case takes milliseconds. docs/reference/test-files.md says more.\n"
     "Exit code 1: a case failed, or a file cannot be read.",
     1, CLI_ARGUMENTS_MAX, test_flags, command_test},
    {"graph", "FILE", "show a workflow as a picture", "Written to standard output.", 1, 1,
     graph_flags, command_graph},
    {"run", "WORKFLOW", "start a run",
     "WORKFLOW is [namespace/]name[:version]; without a version the newest release.",
     1, 1, run_flags, command_run},
    {"batch", "JSON|@FILE", "start up to 500 runs",
     "A list of starts as POST /v1/runs takes them: [{\"workflow\": \"w\", \"input\": {}}, ...].",
     1, 1, batch_flags, command_batch},
    {"list", "", "list runs, newest first", NULL, 0, 0, list_flags, command_list},
    {"show", "RUN", "show a run", NULL, 1, 1, NULL, command_show},
    {"why", "RUN", "say what a run waits for, since when, and what to do", NULL, 1, 1, NULL,
     command_why},
    {"logs", "RUN", "show the history of a run", NULL, 1, 1, logs_flags, command_logs},
    {"tasks", "RUN", "list the tasks of a run, with attempts, times and errors",
     "With --json also what went in and what came out.", 1, 1, tasks_flags, command_tasks},
    {"variables", "RUN [NAME JSON|@FILE]", "show the variables of a run, or set one",
     "They are the members of `$context`. What starts from now on sees the new value.", 1, 3, NULL,
     command_variables},
    {"signal", "RUN NAME [JSON|@FILE]", "send an event to a run", NULL, 2, 3, signal_flags,
     command_signal},
    {"approvals", "", "list what waits for a person", NULL, 0, 0, NULL, command_approvals},
    {"approve", "APPROVAL", "approve",
     "APPROVAL is its id, or that of a run with one open approval.", 1, 1,
     decide_flags, command_approve},
    {"reject", "APPROVAL", "reject",
     "APPROVAL is its id, or that of a run with one open approval.", 1, 1,
     decide_flags, command_reject},
    {"edit", "APPROVAL", "change what is asked, of whom, or until when",
     "APPROVAL is its id, or that of a run with one open approval. The payload only where the\n"
     "workflow says `editable: true`.", 1, 1,
     edit_flags, command_edit},
    {"cancel", "RUN", "cancel a run", NULL, 1, 1, cancel_flags, command_cancel},
    {"terminate", "RUN", "end a run at once",
     "Nothing is compensated, and its child runs are terminated too.", 1, 1, cancel_flags,
     command_terminate},
    {"retry", "RUN", "open a faulted run again where it failed",
     "What was done stays done. A run that was undone is not opened again. Of a run that waits\n"
     "for an operator (`onExhausted: pause`) what was given up is tried again.", 1, 1, retry_flags,
     command_retry},
    {"fail", "RUN", "let what waits for an operator fail",
     "Its error is that of its last attempt, which the workflow may catch. `tutti retry` tries it\n"
     "again instead.", 1, 1, fail_flags, command_fail},
    {"dead-letters", "QUEUE [ACTION [JOB]]", "what was given up, and another go at it",
     "ACTION is `redrive JOB`, `drop JOB`, `redrive-all`, or `causes`: how many there are of each\n"
     "error and function; without one they are listed. A queue may redrive them by itself: see\n"
     "`tutti queue`.\n"
     "Redriving opens the run again that faulted on it; dropping leaves the run as it is, or\n"
     "lets a task fail that waits for an operator.", 1, 3,
     letters_flags, command_dead_letters},
    {"pause", "RUN", "suspend a run",
     "No task starts and no timer fires until `tutti resume`; jobs that a worker has are finished.",
     1, 1, cancel_flags, command_pause},
    {"resume", "RUN", "let a suspended run go on", NULL, 1, 1, cancel_flags, command_resume},
    {"restart", "RUN", "start a new run with the same input", NULL, 1, 1, restart_flags,
     command_restart},
    {"reset", "RUN EVENT", "start a new run that goes on from an earlier event",
     "EVENT is a number that `tutti logs` shows. The new run has the history up to there; what\n"
     "was open then is done anew, as calls of the new run. A run that still runs is terminated.",
     2, 2,
     cancel_flags, command_reset},
    {"compensate", "RUN", "undo what a run did that has ended",
     "The compensations of its sagas run, the newest first; then it is cancelled.", 1, 1,
     cancel_flags, command_compensate},
    {"draft", "RUN", "change the input of a draft, or start it", NULL, 1, 1, draft_flags,
     command_draft},
    {"bulk", "ACTION", "cancel, terminate, retry, delete or erase many runs",
     "All runs that every flag means; at least one is needed. Waits until it is done.", 1, 1,
     bulk_flags, command_bulk},
    {"export", "", "write runs that have ended as lines of JSON, with their history",
     "A line has a `format`, the `run` and its `history` as the API shows them, and in `kept`\n"
     "what `tutti import` needs. On standard error comes how many there were.", 0, 0,
     export_flags, command_export},
    {"import", "[FILE]", "bring in runs that `tutti export` has written",
     "From FILE or standard input. Runs keep their ids; what is here already stays, so a command\n"
     "that was interrupted is given again. Waits up to a minute while the server is away. Says\n"
     "which lines were refused and why, and ends with 1 if some were.", 0, 1, NULL,
     command_import},
    {"erase", "[RUN]", "erase what a run was given and made",
     "Of a run that has ended. Inputs, outputs, texts of errors, approvals and dead letters go;\n"
     "that it ran, when and how stays. It cannot be retried or restarted then. Labels, its child\n"
     "runs, backups and the archive stay, but a restore of them erases it again. Dead letters\n"
     "whose run is gone have no labels: erase those by the run's id.", 0, 1,
     erase_flags, command_erase},
    {"delete", "RUN", "delete a run that has ended, with everything it left",
     "Its history, payloads and approvals go. Its child runs stay.", 1, 1, delete_flags,
     command_delete},
    {"file", "put|list|get|delete ...", "files kept by the server, by id",
     "  put FILE...           store files; each prints its id\n"
     "  list                  those of the namespace, newest first\n"
     "  get ID                its bytes\n"
     "  delete ID...          delete files, or with --subject all of somebody's",
     1, CLI_ARGUMENTS_MAX, file_flags, command_file},
    {"assistant", "put|list|show ...", "prompts with a model, by name and version",
     "  put FILE...           make or change assistants; YAML or JSON, with a `name`\n"
     "  list                  all of them, each with its newest version\n"
     "  show NAME[:VERSION]   one of them",
     1, CLI_ARGUMENTS_MAX, assistant_flags, command_assistant},
    {"adapter", "list|lint|show|render|test|new|import-openapi|schema ...",
     "manifests of adapters, and connections tried out",
     "  list                  the actions of the built-in adapters\n"
     "  lint FILE...          say what is wrong with manifests, with line and fix\n"
     "  show NAME             the manifest of a built-in adapter, to begin one's own with\n"
     "  render FUNCTION       what an action would send, on its example or --params\n"
     "  test NAME             every action on its example, with what it reads before and undoes;\n"
     "                        with --connection that one of the server is tried out as well\n"
     "  new NAME              a manifest to begin with, with comments\n"
     "  import-openapi DOC    a manifest to begin with, from OpenAPI 3.x, Swagger 2.0, or\n"
     "                        workflows of Arazzo 1.0 (`steps`), whose descriptions are files;\n"
     "                        what it cannot know is asked for by `lint`\n"
     "  schema                the JSON Schema of manifests, for editors\n"
     "Nothing else is sent, and secrets are `***`.",
     1, CLI_ARGUMENTS_MAX, adapter_flags, command_adapter},
    {"tool", "list|show|invoke ...", "the functions that workflows can call by name",
     "  list                    all of them, with their versions\n"
     "  show NAME[:VERSION]     one of them, with its schemas\n"
     "  invoke NAME[:VERSION]   call one of an adapter once, and wait",
     1, 2, tool_flags, command_tool},
    {"cache", "[show|clear]", "what is kept of answers of calls with `cache`",
     "  show                  hits and misses, and what is kept\n"
     "  clear                 delete what is kept, or a part of it",
     0, 1, cache_flags, command_cache},
    {"queue", "[NAME | ACTION NAME]", "show the queues of jobs, pause, limit or purge one",
     "ACTION is `pause` (no job is handed out), `resume`, `set` (with its flags),\n"
     "or `purge`: all jobs that wait fail with an error of type `cancelled`.",
     0, 2, queue_flags, command_queue},
    {"job", "show|cancel JOB", "look at one call of a run, or cancel it",
     "`tutti logs RUN` and `tutti why RUN` name the jobs of a run. `show` says how far its worker\n"
     "has come; `cancel` fails it with an error of type `cancelled`, and its worker hears of it.",
     2, 2, cancel_flags, command_job},
    {"workers", "[NAME | ACTION NAME]", "show who does the jobs, or drain one",
     "ACTION is `drain` (it gets no new jobs, and keeps those it has: `drained` when it has\n"
     "none left) or `resume`. Your own are named NAMESPACE:NAME.",
     0, 2, NULL, command_workers},
    {"schedule", "create|list|show ...", "runs that a clock starts",
     "  create WORKFLOW            with one of --cron, --every and --at\n"
     "  list                       all of them\n"
     "  show|delete SCHEDULE       one of them\n"
     "  pause|resume SCHEDULE      start nothing for a while; it is not made up for\n"
     "  trigger SCHEDULE           now, as if a time were due\n"
     "  upcoming SCHEDULE          the next times\n"
     "  backfill SCHEDULE FROM TO  start runs for times that have passed",
     1, 4, schedule_flags, command_schedule},
    {"budget", "[set|show|delete NAME]", "what runs may spend together: tokens and money",
     "  list                       all of them; also without an action\n"
     "  show NAME                  one of them\n"
     "  set NAME --scope SCOPE     make one, or change its limits: --usd, --tokens or both;\n"
     "                             what was spent stays\n"
     "  delete NAME                forget it and what was spent",
     0, 2, budget_flags, command_budget},
    {"usage", "", "tokens and money that calls of models have cost",
     "Days are of UTC. A run with two labels counts under each of them.", 0, 0, usage_flags,
     command_usage},
    {"key", "[create|show|rotate|revoke ...]", "who may call the API, and as what",
     "  list            all keys, revoked ones included; also without an action\n"
     "  create NAME     with --role; the key is printed this once: what is kept is a hash\n"
     "  show ID         one of them\n"
     "  rotate ID       another secret; the one before is good for --overlap\n"
     "  revoke ID       for good, within 5 seconds everywhere\n"
     "Roles are viewer, developer, operator, approver, worker, model_client and admin.",
     0, 2, key_flags, command_key},
    {"audit", "[list|verify]", "who changed what, who was refused, what was written outside",
     "  list            the newest records first; also without an action\n"
     "  verify          no record was changed, left out or put in; the last line, kept elsewhere,\n"
     "                  proves with --expect that the whole log was not made anew",
     0, 1, audit_flags, command_audit},
    {"backup", "create|list|verify|restore ...", "hot copies of all data, and back again",
     "  create [NAME]              copy all partitions while they work; waits until it is whole\n"
     "  list                       what there is\n"
     "  verify FOLDER              read a backup, or data of a stopped scheduler, and prove that\n"
     "                             everything in it fits together\n"
     "  restore FOLDER --to DATA   make data of a backup, while no scheduler uses them; with\n"
     "                             --archive of any moment behind it",
     1, 2, backup_flags, command_backup},
    {"breakers", "[TARGET [open|reset]]", "whom the suite may not call, and since when",
     "TARGET is tool:HOST:PORT, llm:PROVIDER or worker:FUNCTION. Jobs that call an open one are\n"
     "held and burn no attempt. `open` shuts it by hand until `reset`.", 0, 2, NULL,
     command_breakers},
    {"limits", "[TARGET [set|drop]]", "how many calls of whom are under way, and may be",
     "TARGET is tool:HOST:PORT, llm:PROVIDER, llm:PROVIDER/MODEL or worker:FUNCTION. Jobs above\n"
     "the limit wait in their queue and burn no attempt. Limits of keys are listed while jobs\n"
     "use them.", 0, 2, limits_flags, command_limits},
    {"provider", "[NAME [test | key set | key remove]]",
     "upstreams of models, whether they can be called, and their keys",
     "`test` has each key of NAME ask for the list of models, which costs nothing, and says what\n"
     "is wrong and what to do. `key set` reads a key from standard input, or from --file, and\n"
     "puts it in the place of the configured ones, until `key remove`.", 0, 3, provider_flags,
     command_provider},
    {"doctor", "", "check the set-up, with a fix for each finding", NULL, 0, 0, doctor_flags,
     command_doctor},
    {"version", "", "print the version", NULL, 0, 0, NULL, command_version},
    {},
};
/* clang-format on */
