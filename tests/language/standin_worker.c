#include "language/standin_worker.h"

#include "auth/api_key.h"
#include "auth/role.h"
#include "base/mem.h"
#include "base/random.h"
#include "function.pb-c.h"
#include "loop/loop.h"
#include "rpc/rpc_client.h"
#include "system.pb-c.h"
#include "worker/host.h"
#include "json/json_text.h"

#include <stdlib.h>

enum {
    SLOTS         = 500,
    LEASE_MS      = 10'000,
    ASK_MS        = 30'000,
    TEXT_MAX      = 64 << 20,
    FUNCTIONS_SAY = 64,
};

struct standin_worker {
    struct loop *loop;
    bool is_running;
    struct script *script;
    struct worker_host *host;
    struct rpc_client *client; /* of the runner's thread: registers */
    uint32_t versions;         /* given so far */
};

/* --- jobs: on the loop's thread ----------------------------------------------------------------
 */

static ProtobufCBinaryData data_of(str text)
{
    return (ProtobufCBinaryData){.len = text.len, .data = (uint8_t *)(uintptr_t)text.ptr};
}

static void complete(struct worker_job *job, str output, const char *undo)
{
    Pb__JobCompleted completed = PB__JOB_COMPLETED__INIT;
    completed.output_json      = data_of(output);
    if (undo) completed.undo_json = data_of(str_from(undo));
    worker_complete(job, &completed);
}

static void on_run(struct worker_job *job, void *context)
{
    struct standin_worker *worker = context;
    const Pb__LeasedJob *leased   = job->leased;
    str input                     = {(const char *)leased->input_json.data, leased->input_json.len};
    struct script_answer answer   = {};
    bool is_known                 = script_ask(worker->script, leased->function, input, &answer);
    Pb__JobFailed failed          = PB__JOB_FAILED__INIT;
    if (!is_known) {
        failed.error_json = data_of(
            str_from("{\"type\":\"https://serverlessworkflow.io/spec/1.0.0/errors/configuration\","
                     "\"status\":400,\"title\":\"no stand-in\"}"));
        worker_fail(job, &failed);
        return;
    }
    switch (answer.kind) {
    case SCRIPT_ANSWER:
        complete(job, str_from(answer.body ? answer.body : "null"), answer.undo);
        break;
    case SCRIPT_ECHO: complete(job, input.len > 0 ? input : str_from("null"), answer.undo); break;
    case SCRIPT_NEVER: break;
    case SCRIPT_FAIL:
        failed.error_json = data_of(str_from(answer.body));
        failed.transient  = answer.is_transient;
        worker_fail(job, &failed);
        break;
    }
}

static void on_cancel(struct worker_job *job, void *)
{
    worker_release(job, 0, "cancelled");
}

/* --- functions ---------------------------------------------------------------------------------
 */

/* The description as this scheduler is to know it; `*text` is filled. */
static void describe(struct standin_worker *worker, json function, struct buf *text)
{
    CLEANUP(json_unrefp) json all        = json_ref(function);
    CLEANUP(buf_done) struct buf version = buf_init(TEXT_MAX);
    str given                            = json_str(json_get_text(function, "version"));
    const char *at                       = memchr(given.ptr, '.', given.len);
    size_t major                         = at ? (size_t)(at - given.ptr) : given.len;
    (void)buf_printf(&version, STR_FMT ".%u.0", STR_ARG(str_slice(given, 0, major)),
                     ++worker->versions);
    json_object_put_text(&all, "version", json_text_new(buf_str(&version)));
    json_object_put_text(&all, "queue", json_text_from("tools.standin"));
    (void)json_print(all, JSON_COMPACT, text);
}

static status ask(struct standin_worker *worker, const Pb__RegisterFunctions *message,
                  struct error *reterr)
{
    const struct rpc_request request = {
        .service        = &pb__functions__descriptor,
        .method         = "Put",
        .message        = message,
        .timeout_ms     = ASK_MS,
        .wait_for_ready = true,
        .namespace      = str_from("*"),
    };
    CLEANUP(rpc_answer_freep) struct rpc_answer *answer = NULL;
    TRY(rpc_client_ask(worker->client, &request, &answer, reterr));
    const Pb__RegisteredFunctions *outcome = answer->message;
    if (outcome->n_refused == 0) return STATUS_OK;
    return fail(reterr, STATUS_INTERNAL, "the function %s is refused: %s",
                outcome->refused[0]->function, outcome->refused[0]->detail);
}

status standin_worker_offer(struct standin_worker *worker, json functions, struct error *reterr)
{
    struct buf texts[FUNCTIONS_SAY]         = {};
    ProtobufCBinaryData data[FUNCTIONS_SAY] = {};
    size_t count                            = json_count(functions);
    if (count == 0) return STATUS_OK;
    if (count > FUNCTIONS_SAY) {
        return fail(reterr, STATUS_INTERNAL, "more than %d functions", FUNCTIONS_SAY);
    }
    for (size_t i = 0; i < count; i++) {
        texts[i] = buf_init(TEXT_MAX);
        describe(worker, json_at(functions, i), &texts[i]);
        data[i] = data_of(buf_str(&texts[i]));
    }
    Pb__RegisterFunctions message = PB__REGISTER_FUNCTIONS__INIT;
    message.worker                = "standin";
    message.functions_json        = data;
    message.n_functions_json      = count;
    status code                   = ask(worker, &message, reterr);
    for (size_t i = 0; i < count; i++) buf_done(&texts[i]);
    return code;
}

/* --- keys --------------------------------------------------------------------------------------
 */

status standin_worker_make_key(struct standin_worker *worker, const char *label,
                               struct api_key *ret_key, struct error *reterr)
{
    const char *colon = strchr(label, ':');
    if (!colon) return fail(reterr, STATUS_INTERNAL, "a label is written key:value");
    CLEANUP(buf_done) struct buf name = buf_init(TEXT_MAX);
    (void)buf_put(&name, label, (size_t)(colon - label));

    uint8_t random[API_KEY_RANDOM];
    random_bytes(random, sizeof random);
    api_key_make(random, ret_key);
    const char *roles[]   = {role_name(ROLE_ADMIN)};
    Pb__Label item        = PB__LABEL__INIT;
    Pb__Label *labels[]   = {&item};
    Pb__ApiKey message    = PB__API_KEY__INIT;
    item.key              = name.ptr;
    item.value            = colon + 1;
    message.id            = ret_key->id;
    message.name          = "approver";
    message.namespace_    = "*";
    message.roles         = roles;
    message.n_roles       = 1;
    message.labels        = labels;
    message.n_labels      = 1;
    message.secret_sha256 = (ProtobufCBinaryData){SHA256_SIZE, ret_key->secret_sha256};

    const struct rpc_request request                    = {.service        = &pb__system__descriptor,
                                                           .method         = "PutKey",
                                                           .message        = &message,
                                                           .timeout_ms     = ASK_MS,
                                                           .wait_for_ready = true,
                                                           .namespace      = str_from("*")};
    CLEANUP(rpc_answer_freep) struct rpc_answer *answer = NULL;
    return rpc_client_ask(worker->client, &request, &answer, reterr);
}

/* --- life --------------------------------------------------------------------------------------
 */

static status open_client(struct standin_worker *worker, const char *endpoint, struct error *reterr)
{
    static const ProtobufCServiceDescriptor *const services[] = {&pb__functions__descriptor,
                                                                 &pb__system__descriptor, NULL};
    const struct rpc_client_options options                   = {
                          .endpoints = endpoint, .choice = RPC_OWNER, .services = services};
    return rpc_client_open(&options, &worker->client, reterr);
}

status standin_worker_start(const char *endpoint, struct script *script,
                            struct standin_worker **ret_worker, struct error *reterr)
{
    static const char *const queues[] = {"tools.standin", "default", NULL};
    CLEANUP(standin_worker_stopp) struct standin_worker *worker = mem_new(1, sizeof *worker);
    worker->script                                              = script;
    const struct config_rpc rpc                                 = {};
    TRY(loop_new(NULL, &worker->loop, reterr));
    TRY(open_client(worker, endpoint, reterr));
    const struct worker_host_options options = {
        .service   = "standin",
        .kind      = "external",
        .queues    = queues,
        .namespace = "language", /* of the features: jobs of `worker.<name>` wait there */
        .scheduler = endpoint,
        .rpc       = &rpc,
        .slots     = SLOTS,
        .lease_ms  = LEASE_MS,
        .loop      = worker->loop,
        .run       = on_run,
        .cancel    = on_cancel,
        .context   = worker,
    };
    TRY(worker_host_start(&options, &worker->host, reterr));
    TRY(loop_start(worker->loop, "standin-work", reterr));
    worker->is_running = true;
    *ret_worker        = TAKE(worker);
    return STATUS_OK;
}

void standin_worker_stopp(struct standin_worker **ref)
{
    struct standin_worker *worker = *ref;
    if (!worker) return;
    if (worker->is_running) {
        loop_stop(worker->loop);
        loop_join(worker->loop);
    }
    worker_host_close(worker->host);
    worker_host_freep(&worker->host);
    rpc_client_closep(&worker->client);
    loop_free(worker->loop);
    free(worker);
    *ref = NULL;
}
