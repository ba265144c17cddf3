/* workers: who does the jobs, and who is to get no more of them. */
#include "cli/api.h"
#include "cli/print.h"

#include <stdio.h>

enum { PATH_MAX_BYTES = 512, COLUMNS = 7, QUEUES_MAX_BYTES = 160 };

static str state_of(json worker)
{
    if (json_is(json_get_text(worker, "drained"), JSON_TRUE)) return str_from("drained");
    bool is_draining = json_is(json_get_text(worker, "draining"), JSON_TRUE);
    return str_from(is_draining ? "draining" : "open");
}

static void add_worker(struct table *table, json one)
{
    char slots[NUMBER_SIZE];
    char busy[NUMBER_SIZE];
    CLEANUP(buf_done) struct buf names = buf_init(QUEUES_MAX_BYTES);
    json queues                        = json_get_text(one, "queues");
    for (size_t i = 0; i < json_count(queues); i++) {
        if (i > 0) (void)buf_put_text(&names, ", ");
        (void)buf_put_str(&names, json_str(json_at(queues, i)));
    }
    const str cells[COLUMNS] = {
        member(one, "name", ""),
        member(one, "kind", ""),
        state_of(one),
        member_number(one, "slots", slots),
        member_number(one, "busy", busy),
        member(one, "last_seen_at", ""),
        buf_str(&names),
    };
    table_add(table, cells);
}

static void print_workers(json answer)
{
    static const char *const titles[COLUMNS] = {"WORKER", "KIND",      "STATE", "SLOTS",
                                                "BUSY",   "LAST SEEN", "QUEUES"};
    print_rows(answer, titles, COLUMNS, add_worker);
}

enum cli_exit command_workers(struct cli *cli)
{
    CLEANUP(buf_done) struct buf path = buf_init(PATH_MAX_BYTES);
    str action                        = str_from(cli->argument_count == 2 ? cli->arguments[0] : "");
    bool resumes                      = str_is(action, "resume");
    if (action.len > 0 && !resumes && !str_is(action, "drain")) {
        (void)fprintf(stderr, "tutti: workers [NAME | drain NAME | resume NAME]\n");
        return CLI_USAGE;
    }
    (void)buf_put_text(&path, "/v1/workers");
    if (cli->argument_count > 0) {
        (void)buf_put_byte(&path, '/');
        api_put_segment(&path, cli->arguments[cli->argument_count - 1]);
    }
    if (action.len > 0) (void)buf_put_text(&path, "/drain");
    if (resumes) return api_do(cli, "DELETE", path.ptr, (str){}, "gets jobs again");
    const struct api_call call = {.method = action.len > 0 ? "POST" : "GET", .path = path.ptr};
    return api_show(cli, &call, print_workers);
}
