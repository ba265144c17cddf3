/* Registering what a worker can do. Cheap where it is known: so it is said again and again. */
#include "base/log.h"
#include "base/mem.h"
#include "function.pb-c.h"
#include "worker/worker_internal.h"

#include <stdlib.h>

enum { REGISTRATION_MAX = 1'024 /* functions of one call, as the scheduler's limit */ };

static void try_later(struct worker *worker)
{
    if (worker->is_draining) return;
    loop_timer_set(worker->options.loop, &worker->registration,
                   worker_now_ms(worker) + WORKER_RETRY_MS);
}

static void on_registered(struct rpc_answer *answer, void *context)
{
    struct worker *worker  = context;
    worker->is_registering = false;
    if (answer->code != STATUS_OK) {
        rpc_answer_free(answer);
        try_later(worker);
        return;
    }
    worker->is_registered                  = worker->registering == worker->options.functions;
    const Pb__RegisteredFunctions *outcome = answer->message;
    for (size_t i = 0; i < outcome->n_refused; i++) {
        log_write(LOG_ERROR, "worker.function_refused",
                  LOG_TEXT_OF("function", outcome->refused[i]->function),
                  LOG_TEXT_OF("error", outcome->refused[i]->detail));
    }
    rpc_answer_free(answer);
    if (!worker->is_registered) try_later(worker); /* there are others by now */
}

void worker_register(void *context)
{
    struct worker *worker       = context;
    const char *const *texts    = worker->options.functions;
    ProtobufCBinaryData *packed = NULL;
    size_t count                = 0;
    if (!texts || worker->is_registered || worker->is_registering || worker->is_draining) return;
    if (loop_timer_is_set(&worker->registration)) return;

    packed = mem_new(REGISTRATION_MAX, sizeof *packed);
    for (; texts[count] && count < REGISTRATION_MAX; count++) {
        str text = str_from(texts[count]);
        packed[count] =
            (ProtobufCBinaryData){.len = text.len, .data = (uint8_t *)(uintptr_t)text.ptr};
    }
    Pb__RegisterFunctions message = PB__REGISTER_FUNCTIONS__INIT;
    message.worker                = worker->name;
    message.functions_json        = packed;
    message.n_functions_json      = count;
    struct rpc_request request    = {
           .service = &pb__functions__descriptor, .method = "Put", .message = &message};
    worker->registering    = texts;
    worker->is_registering = worker_call(worker, &request, on_registered, worker, NULL);
    free(packed);
    if (!worker->is_registering) try_later(worker);
}

void worker_use_functions(struct worker *worker, const char *const *functions)
{
    worker->options.functions = functions;
    worker->is_registered     = false;
    worker_register(worker);
}
