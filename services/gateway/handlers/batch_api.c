/* POST /v1/runs/batch: many starts, each with an answer of its own. */
#include "base/assert.h"
#include "base/clock.h"
#include "gateway/api/labels.h"
#include "gateway/api/problem.h"
#include "gateway/api/view.h"
#include "gateway/handlers/handlers.h"
#include "gateway/runs/run_start.h"
#include "json/json_text.h"

enum {
    ITEMS_MAX  = 500,     /* as the contract */
    INPUT_MAX  = 1 << 20, /* bytes of one item */
    RESULT_MAX = 4 << 20, /* likewise */
    KEY_MAX    = 240,     /* characters of an Idempotency-Key that leave room for the item */
};

struct item {
    struct buf result; /* a member of `results`; owned */
    bool is_reused;    /* its key stands for another request */
    bool is_replayed;  /* it was started by an earlier one */
};

struct batch {
    struct item *items;
    size_t count;
    atomic_size_t open;
};

/* --- answers -----------------------------------------------------------------------------------
 */

static void send(struct api_call *call)
{
    struct batch *batch = call->state;
    struct api_answer answer;
    size_t reused   = 0;
    size_t replayed = 0;
    api_answer_begin(&answer, call);
    json_begin_object(&answer.json);
    json_member(&answer.json, "results");
    json_begin_array(&answer.json);
    for (size_t i = 0; i < batch->count; i++) {
        json_write_raw(&answer.json, buf_str(&batch->items[i].result));
        buf_done(&batch->items[i].result);
        reused += batch->items[i].is_reused;
        replayed += batch->items[i].is_replayed;
    }
    json_end_array(&answer.json);
    json_end_object(&answer.json);
    if (reused > 0) { /* the key stands for the batch as a whole */
        buf_done(&answer.body);
        api_fail_with(call, "idempotency_key_reused", (str){},
                      "this Idempotency-Key came with another request before");
        return;
    }
    if (replayed == batch->count) atomic_store(&call->is_replayed, true);
    api_answer_send(&answer, 200, NULL);
}

static void close_one(struct api_call *call)
{
    struct batch *batch = call->state;
    if (atomic_fetch_sub(&batch->open, 1) == 1) send(call);
}

static void print_problem(struct api_call *call, const struct rpc_answer *answer,
                          struct json_writer *w)
{
    CLEANUP(buf_done) struct buf text = buf_init(RESULT_MAX);
    str details = {.ptr = answer->details_json.ptr, .len = answer->details_json.len};
    const struct problem problem = {
        .kind          = problem_kind_of(str_from(answer->error_code), answer->code),
        .detail        = str_from(answer->detail),
        .request_id    = str_from(call->request_id),
        .findings_json = details.len > 0 && details.ptr[0] == '[' ? details : (str){},
    };
    json_put_int(w, "status", problem.kind->http);
    problem_print(&problem, &text);
    json_put_raw(w, "problem", buf_str(&text));
}

static void on_started(struct api_call *call, size_t index, const struct rpc_answer *answer)
{
    struct batch *batch  = call->state;
    struct item *item    = &batch->items[index];
    struct json_writer w = json_writer_init(&item->result);
    json_begin_object(&w);
    if (answer->code == STATUS_OK) {
        const Pb__StartedRun *started = answer->message;
        Pb__RunView run               = *started->run;
        item->is_replayed             = started->replayed;
        run.input_json = run.output_json = (ProtobufCBinaryData){};
        json_put_int(&w, "status", started->created || started->replayed ? 201 : 200);
        json_member(&w, "run");
        view_run(&w, &run, clock_unix_us());
    } else {
        item->is_reused = strcmp(answer->error_code, "idempotency_key_reused") == 0;
        print_problem(call, answer, &w);
    }
    json_end_object(&w);
    close_one(call);
}

static void refuse(struct api_call *call, size_t index, const struct error *error)
{
    const struct rpc_answer answer = {.code       = STATUS_INVALID_ARGUMENT,
                                      .detail     = error->text,
                                      .error_code = error->code ? error->code : ""};
    on_started(call, index, &answer);
}

/* --- questions ---------------------------------------------------------------------------------
 */

/* What all items have in common. */
struct common {
    char group[API_RPC_ID_LEN + 1]; /* of max_concurrent */
    uint32_t slots;
    json labels;
    const char *key; /* Idempotency-Key; "": none */
    uint8_t digest[SHA256_SIZE];
};

/* The item with the labels of the batch under its own ones. Owned. */
static json item_with_labels(json item, json labels)
{
    if (!json_is(labels, JSON_OBJECT)) return json_ref(item);
    json own                           = json_get_text(item, "labels");
    CLEANUP(json_unrefp) json together = json_ref(labels);
    for (size_t i = 0; i < json_count(own); i++) {
        json_object_put(&together, json_key_at(own, i), json_ref(json_value_at(own, i)));
    }
    json copy = json_ref(item);
    json_object_put_text(&copy, "labels", json_take(&together));
    return copy;
}

static status ask_item(struct api_call *call, size_t index, json from, const struct common *common,
                       struct error *reterr)
{
    CLEANUP(buf_done) struct buf input = buf_init(INPUT_MAX);
    CLEANUP(json_unrefp) json item     = item_with_labels(from, common->labels);
    Pb__StartRun message               = PB__START_RUN__INIT;
    char request_id[API_RPC_ID_LEN + 1];
    if (json_count(json_get_text(item, "labels")) > LABELS_MAX) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "labels: at most %d with those of the batch",
                    LABELS_MAX);
    }
    json value = json_get_text(item, "input");
    if (!json_is(value, JSON_INVALID) && !json_print(value, JSON_COMPACT, &input)) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "input: over %d bytes", INPUT_MAX);
    }
    TRY(run_start_read(call, item, &message, reterr));
    message.input_json = (ProtobufCBinaryData){.data = (uint8_t *)input.ptr, .len = input.len};
    message.slot_group = common->slots > 0 ? common->group : "";
    message.slot_max   = common->slots;
    if (*common->key) {
        message.idempotency_key = arena_printf(call->arena, "%s/%zu", common->key, index);
        message.idempotency_digest =
            (ProtobufCBinaryData){.data = (uint8_t *)(uintptr_t)common->digest, .len = SHA256_SIZE};
        if (!message.idempotency_key) {
            return fail(reterr, STATUS_INVALID_ARGUMENT, "the request is too large");
        }
    }
    api_item_id(call, index, request_id);
    const struct api_ask ask = {.service    = &pb__runs__descriptor,
                                .method     = "Start",
                                .message    = &message,
                                .partition  = run_start_partition(call, &message),
                                .then_item  = on_started,
                                .item       = index,
                                .request_id = request_id};
    api_ask_scheduler(call, &ask);
    return STATUS_OK;
}

static bool read_common(struct api_call *call, struct common *ret_common)
{
    Pb__StartRun key   = PB__START_RUN__INIT;
    struct error error = {};
    int64_t slots      = 0;
    *ret_common        = (struct common){.labels = json_get_text(call->body, "labels")};
    status read        = run_start_read_key(call, &key, ret_common->digest, &error);
    if (read == STATUS_OK && strlen(key.idempotency_key) > KEY_MAX) {
        read = fail(&error, STATUS_INVALID_ARGUMENT,
                    "Idempotency-Key: at most %d characters for a batch", KEY_MAX);
    }
    if (read != STATUS_OK) {
        api_fail(call, read, &error);
        return false;
    }
    (void)json_to_int(json_get_text(call->body, "max_concurrent"), &slots);
    ret_common->key   = key.idempotency_key;
    ret_common->slots = (uint32_t)slots;
    api_hash_id(*ret_common->key ? api_text(call, str_from(ret_common->key)) : call->rpc_id,
                ITEMS_MAX, ret_common->group);
    return true;
}

void runs_batch(struct api_call *call)
{
    json items          = json_get_text(call->body, "items");
    struct batch *batch = arena_alloc(call->arena, sizeof *batch);
    struct common common;
    if (!read_common(call, &common)) return;
    ASSERT(batch && json_count(items) <= ITEMS_MAX);
    batch->count = json_count(items);
    batch->items = arena_alloc(call->arena, (batch->count + 1) * sizeof *batch->items);
    ASSERT(batch->items);
    for (size_t i = 0; i < batch->count; i++) batch->items[i].result = buf_init(RESULT_MAX);
    atomic_store(&batch->open, batch->count + 1); /* one for us: the last one sends */
    call->state = batch;
    for (size_t i = 0; i < batch->count; i++) {
        struct error error = {};
        status asked       = ask_item(call, i, json_at(items, i), &common, &error);
        if (asked != STATUS_OK) refuse(call, i, &error);
    }
    close_one(call);
}
