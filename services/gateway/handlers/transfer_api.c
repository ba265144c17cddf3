/* GET /v1/runs/{id}/export and POST /v1/runs/import: runs that have ended, out and in. */
#include "base/assert.h"
#include "base/id.h"
#include "gateway/api/problem.h"
#include "gateway/handlers/handlers.h"
#include "gateway/runs/import_line.h"
#include "run.pb-c.h"

enum {
    LINE_ARENA_MAX = 40 << 20, /* bytes: what a line holds, and a list of its items */
    PROBLEM_MAX    = 16 << 10, /* bytes */
};

/* --- out -----------------------------------------------------------------------------------------
 */

static void on_exported(struct api_call *call, const struct rpc_answer *answer)
{
    struct api_answer response;
    api_answer_begin(&response, call);
    import_line_write(&response.json, answer->message);
    api_answer_send(&response, 200, NULL);
}

void runs_export(struct api_call *call)
{
    Pb__ExportRun message    = PB__EXPORT_RUN__INIT;
    message.id               = api_text(call, call->params[0]);
    message.namespace_       = api_namespace(call);
    const struct api_ask ask = {.service   = &pb__runs__descriptor,
                                .method    = "Export",
                                .message   = &message,
                                .partition = api_partition_of(call, call->params[0]),
                                .then      = on_exported};
    api_ask_scheduler(call, &ask);
}

/* --- in: what became of the lines ----------------------------------------------------------------
 */

struct line {
    str text; /* of the body */
    size_t number;
    int http;
    struct id run;      /* empty: it was not read */
    struct buf problem; /* a document; empty: none; owned */
};

struct import {
    struct line *lines;
    size_t count;
    atomic_size_t open;
};

static void write_line(struct json_writer *w, const struct line *line)
{
    json_begin_object(w);
    json_put_int(w, "line", (int64_t)line->number);
    json_put_int(w, "status", line->http);
    if (line->run.text[0]) json_put_text(w, "run", str_from(line->run.text));
    if (line->problem.len > 0) json_put_raw(w, "problem", buf_str(&line->problem));
    json_end_object(w);
}

static void send(struct api_call *call)
{
    struct import *import = call->state;
    size_t created        = 0;
    size_t present        = 0;
    struct api_answer answer;
    api_answer_begin(&answer, call);
    json_begin_object(&answer.json);
    json_member(&answer.json, "results");
    json_begin_array(&answer.json);
    for (size_t i = 0; i < import->count; i++) {
        struct line *line = &import->lines[i];
        write_line(&answer.json, line);
        buf_done(&line->problem);
        created += line->http == 201;
        present += line->http == 200;
    }
    json_end_array(&answer.json);
    json_put_int(&answer.json, "created", (int64_t)created);
    json_put_int(&answer.json, "present", (int64_t)present);
    json_put_int(&answer.json, "refused", (int64_t)(import->count - created - present));
    json_end_object(&answer.json);
    api_answer_send(&answer, 200, NULL);
}

static void close_one(struct api_call *call)
{
    struct import *import = call->state;
    if (atomic_fetch_sub(&import->open, 1) == 1) send(call);
}

static void on_imported(struct api_call *call, size_t index, const struct rpc_answer *answer)
{
    struct import *import = call->state;
    struct line *line     = &import->lines[index];
    if (answer->code == STATUS_OK) {
        const Pb__ImportedRun *run = answer->message;
        line->http                 = run->created ? 201 : 200;
    } else {
        const struct problem problem = {
            .kind       = problem_kind_of(str_from(answer->error_code), answer->code),
            .detail     = str_from(answer->detail),
            .request_id = str_from(call->request_id),
        };
        line->http    = problem.kind->http;
        line->problem = buf_init(PROBLEM_MAX);
        problem_print(&problem, &line->problem);
    }
    close_one(call);
}

/* --- in: asking ----------------------------------------------------------------------------------
 */

static status ask_line(struct api_call *call, size_t index, struct error *reterr)
{
    struct import *import                    = call->state;
    struct line *line                        = &import->lines[index];
    CLEANUP(arena_freep) struct arena *arena = arena_new(LINE_ARENA_MAX);
    Pb__KeptRun kept                         = PB__KEPT_RUN__INIT;
    Pb__ImportRun message                    = PB__IMPORT_RUN__INIT;
    char request_id[API_RPC_ID_LEN + 1];
    TRY(import_line_read(line->text, arena, &kept, reterr));
    if (!id_is_valid(str_from(kept.id))) {
        return fail_code(reterr, STATUS_INVALID_ARGUMENT, "run_invalid",
                         "`kept.id` is none of a run");
    }
    memcpy(line->run.text, kept.id, ID_LEN + 1);
    message.kept       = &kept;
    message.namespace_ = api_namespace(call);
    api_item_id(call, index, request_id);
    const struct api_ask ask = {.service    = &pb__runs__descriptor,
                                .method     = "Import",
                                .message    = &message,
                                .partition  = api_partition_of(call, str_from(line->run.text)),
                                .then_item  = on_imported,
                                .item       = index,
                                .request_id = request_id};
    api_ask_scheduler(call, &ask);
    return STATUS_OK;
}

static bool find_lines(struct api_call *call, struct import *import)
{
    str rest      = buf_str(&call->request->body);
    str text      = {};
    import->lines = arena_alloc(call->arena, IMPORT_LINES_MAX * sizeof *import->lines);
    ASSERT(import->lines);
    for (size_t number = 1; import_line_next(&rest, &text); number++) {
        if (text.len == 0) continue;
        if (import->count == IMPORT_LINES_MAX) {
            api_fail_with(call, "body_too_large", (str){},
                          "over %d lines; send them in several requests", IMPORT_LINES_MAX);
            return false;
        }
        import->lines[import->count++] = (struct line){.text = text, .number = number};
    }
    return true;
}

void runs_import(struct api_call *call)
{
    struct import *import = arena_alloc(call->arena, sizeof *import);
    ASSERT(import);
    if (!find_lines(call, import)) return;
    atomic_store(&import->open, import->count + 1); /* one for us: the last one sends */
    call->state = import;
    for (size_t i = 0; i < import->count; i++) {
        struct error error = {};
        status asked       = ask_line(call, i, &error);
        if (asked == STATUS_OK) continue;
        const struct rpc_answer refused = {
            .code = asked, .detail = error.text, .error_code = error.code ? error.code : ""};
        on_imported(call, i, &refused);
    }
    close_one(call);
}
