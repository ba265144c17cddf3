#include "tool-adapter/connections/module.h"

#include "base/assert.h"
#include "base/clock.h"
#include "base/mem.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static void call_free(struct module_call *call)
{
    if (call->about && call->function->release) call->function->release(call);
    if (call->next) call->next->previous = call->previous;
    if (call->previous) call->previous->next = call->next;
    if (call->module->first == call) call->module->first = call->next;
    call->module->calls--;
    arena_free(call->arena);
    free(call);
}

/* As HTTP would say it; what may be tried again at once is no answer. */
static int http_of(status code)
{
    if (code == STATUS_FAILED_PRECONDITION) return 409;
    if (code == STATUS_RESOURCE_EXHAUSTED) return 507;
    return status_http(code);
}

static bool is_failure(status code)
{
    return code == STATUS_UNAVAILABLE || code == STATUS_DEADLINE_EXCEEDED ||
           code == STATUS_CANCELLED;
}

static json response_new(struct module_call *call)
{
    json response = json_object_new(3);
    json body     = json_invalid();
    if (call->code == STATUS_OK) {
        body = call->function->answer(call);
    } else {
        body = json_object_new(1);
        json_object_put_text(&body, "error", json_text_lossy(str_from(call->error.text)));
    }
    int64_t well = call->answer_status > 0 ? call->answer_status : 200;
    int64_t http = call->code == STATUS_OK ? well : http_of(call->code);
    json_object_put_text(&response, "status", json_int(http));
    json_object_put_text(&response, "headers", json_object_new(0));
    json_object_put_text(&response, "body", body);
    return response;
}

static void run(void *context)
{
    struct module_call *call = context;
    if (atomic_load(&call->is_cancelled)) {
        call->code = STATUS_CANCELLED;
        return;
    }
    call->code = call->function->run(call, &call->error);
}

static void done(void *context)
{
    struct module_call *call = context;
    if (call->module->after) call->module->after(call->module);
    if (atomic_load(&call->is_cancelled)) {
        call_free(call);
        return;
    }
    CLEANUP(json_unrefp) json response = json_invalid();
    struct engine_result result        = {.code     = STATUS_OK,
                                          .was_sent = call->was_sent,
                                          .usage    = call->has_usage ? &call->usage : NULL};
    if (is_failure(call->code)) {
        result.code  = call->code;
        result.error = call->error;
    } else {
        response        = response_new(call);
        result.response = response;
    }
    call->handlers.done(&result, call->handlers.context);
    call_free(call);
}

static const struct module_function *function_of(const struct module *module, const char *name)
{
    const struct module_function *one = module->functions;
    while (one->name && strcmp(one->name, name) != 0) one++;
    return one->name ? one : NULL;
}

status module_start(void *self, const struct engine_request *request,
                    const struct engine_handlers *handlers, struct engine_call **ret_call,
                    struct error *reterr)
{
    struct module *module                  = self;
    const struct module_function *function = function_of(module, request->function);
    if (!function) {
        return fail(reterr, STATUS_UNIMPLEMENTED, "there is no function `%s`", request->function);
    }
    if (module->calls == MODULE_CALLS_MAX) {
        return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "%d calls are under way", MODULE_CALLS_MAX);
    }
    struct module_call *call = mem_new(1, sizeof *call);
    module->calls++;
    *call = (struct module_call){.work        = {.run = run, .done = done, .context = call},
                                 .module      = module,
                                 .function    = function,
                                 .handlers    = *handlers,
                                 .arena       = arena_new(MODULE_ARENA_MAX),
                                 .deadline_ms = clock_mono_ms() + request->total_ms};
    ASSERT(call->arena != NULL);
    call->payer = request->payer;
    call->next  = module->first;
    if (call->next) call->next->previous = call;
    module->first = call;
    status code   = module_copy(call->arena, request->payer.key_id, &call->payer.key_id, reterr);
    if (code == STATUS_OK) code = function->read(call, request, reterr);
    if (code != STATUS_OK) {
        call_free(call);
        return code;
    }
    work_pool_run(module->pool, &call->work);
    *ret_call = (struct engine_call *)call;
    return STATUS_OK;
}

void module_cancel(struct engine_call *engine_call)
{
    struct module_call *call = (struct module_call *)engine_call;
    atomic_store(&call->is_cancelled, true);
    if (work_pool_take_back(call->module->pool, &call->work)) call_free(call);
}

void module_stop(struct module *module)
{
    for (struct module_call *call = module->first; call; call = call->next) {
        atomic_store(&call->is_cancelled, true);
    }
}

/* --- settings ----------------------------------------------------------------------------------
 */

status module_alloc(struct arena *arena, size_t count, size_t size, void **ret_memory,
                    struct error *reterr)
{
    size_t total = 0;
    bool fits    = !__builtin_mul_overflow(count, size, &total) && total < MODULE_ARENA_MAX;
    void *memory = fits ? arena_alloc(arena, total + 1) : NULL;
    if (!memory) {
        return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "the call takes more than %d MiB",
                    MODULE_ARENA_MAX >> 20);
    }
    *ret_memory = memory;
    return STATUS_OK;
}

status module_copy(struct arena *arena, str text, str *ret_copy, struct error *reterr)
{
    void *copy = NULL;
    TRY(module_alloc(arena, text.len, 1, &copy, reterr));
    if (text.len > 0) memcpy(copy, text.ptr, text.len);
    *ret_copy = (str){.ptr = copy, .len = text.len};
    return STATUS_OK;
}

static bool is_absent(json value)
{
    return json_is(value, JSON_INVALID) || json_is(value, JSON_NULL);
}

status module_text(struct arena *arena, json settings, const char *name, const char *fallback,
                   str *ret_text, struct error *reterr)
{
    json value = json_get_text(settings, name);
    if (is_absent(value) && fallback) {
        *ret_text = str_from(fallback);
        return STATUS_OK;
    }
    if (!json_is(value, JSON_TEXT)) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "`%s` must be a text", name);
    }
    return module_copy(arena, json_str(value), ret_text, reterr);
}

status module_int(json settings, const char *name, int64_t fallback, int64_t min, int64_t max,
                  int64_t *ret_value, struct error *reterr)
{
    json value = json_get_text(settings, name);
    *ret_value = fallback;
    if (is_absent(value)) return STATUS_OK;
    if (json_is_number(value) && json_to_int(value, ret_value) && *ret_value >= min &&
        *ret_value <= max) {
        return STATUS_OK;
    }
    return fail(reterr, STATUS_INVALID_ARGUMENT,
                "`%s` must be a whole number from %" PRId64 " to %" PRId64, name, min, max);
}

status module_choice(json settings, const char *name, const char *const *names, unsigned *ret_index,
                     struct error *reterr)
{
    json value = json_get_text(settings, name);
    *ret_index = 0;
    if (is_absent(value)) return STATUS_OK;
    for (unsigned i = 0; json_is(value, JSON_TEXT) && names[i]; i++) {
        *ret_index = i;
        if (str_is(json_str(value), names[i])) return STATUS_OK;
    }
    return fail(reterr, STATUS_INVALID_ARGUMENT, "`%s` is none that is known: `%s` is", name,
                names[0]);
}
