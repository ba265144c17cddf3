#include "tool-adapter/call/tool_trial.h"

#include "base/assert.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/mem.h"
#include "base/random.h"
#include "json/json_text.h"

#include <stdlib.h>

enum { NONCE_BYTES = 16 };

struct tool_trial {
    struct exchange_means means; /* without a cache */
    struct tool_trial_request request;
    const char *namespace; /* owned */
    const struct connection *connection;
    const struct manifest_action *actions[TOOL_TRIALS_MAX];
    size_t count, at;
    struct tool_trial_row rows[TOOL_TRIALS_MAX];
    json account; /* owned */
    struct tool_call *call;
    struct loop_timer next; /* from the loop, not from inside the call before */
    char key[2 * NONCE_BYTES + 1];
    int64_t started_ms, until_ms; /* of the read; of all */
    bool is_starting, is_over;
};

static void trial_free(struct tool_trial *trial)
{
    loop_timer_clear(trial->means.loop, &trial->next);
    for (size_t i = 0; i < trial->at; i++) json_unref(trial->rows[i].error);
    json_unref(trial->account);
    toolbox_unref(trial->request.toolbox);
    free((void *)(uintptr_t)trial->namespace);
    free(trial);
}

static void finish(struct tool_trial *trial)
{
    const struct tool_trial_result result = {.connection = trial->connection,
                                             .rows       = trial->rows,
                                             .count      = trial->at,
                                             .account    = trial->account};
    trial->is_over                        = true;
    trial->request.done(&result, trial->request.context);
    if (!trial->is_starting) trial_free(trial);
}

/* --- which reads -------------------------------------------------------------------------------
 */

static bool has_default(const struct manifest_action *action, str name)
{
    for (size_t i = 0; i < action->defaults.count; i++) {
        if (str_is(name, action->defaults.items[i].name)) return true;
    }
    return false;
}

static bool needs_arguments(const struct manifest_action *action)
{
    json required = json_get_text(action->params, "required");
    for (size_t i = 0; i < json_count(required); i++) {
        if (!has_default(action, json_str(json_at(required, i)))) return true;
    }
    return !json_is(json_get_text(action->params, "anyOf"), JSON_INVALID);
}

static void choose(struct tool_trial *trial)
{
    const struct manifest *manifest = trial->connection->manifest;
    if (manifest->check) {
        trial->actions[trial->count++] = manifest->check;
        return;
    }
    for (size_t i = 0; i < manifest->action_count && trial->count < TOOL_TRIALS_MAX; i++) {
        const struct manifest_action *action = &manifest->actions[i];
        if (action->effect != EFFECT_READ || needs_arguments(action)) continue;
        trial->actions[trial->count++] = action;
    }
}

/* --- the reads ---------------------------------------------------------------------------------
 */

static void tell_account(struct tool_trial *trial, json output)
{
    const struct formula *account  = trial->connection->manifest->account;
    CLEANUP(json_unrefp) json told = json_invalid();
    json scope                     = json_object_new(1);
    if (account) scope_put(&scope, "output", json_ref(output));
    status code =
        account ? formula_eval(account, scope, clock_unix_us(), &told, NULL) : STATUS_NOT_FOUND;
    json_unref(scope);
    if (code == STATUS_OK && json_is(told, JSON_TEXT)) trial->account = json_ref(told);
}

static void on_done(const struct tool_call_result *result, void *context)
{
    struct tool_trial *trial   = context;
    struct tool_trial_row *row = &trial->rows[trial->at++];
    bool is_fine               = result->class == OUTCOME_OK;
    trial->call                = NULL;
    row->action                = trial->actions[trial->at - 1];
    row->class                 = result->class;
    row->is_skipped            = result->class == OUTCOME_INVALID && result->http_status == 0;
    row->http_status           = result->http_status;
    row->duration_ms           = clock_mono_ms() - trial->started_ms;
    row->error                 = is_fine ? json_invalid() : json_ref(result->value);
    if (is_fine) tell_account(trial, result->value);
    loop_timer_set(trial->means.loop, &trial->next, loop_now_ms(trial->means.loop));
}

static void begin(struct tool_trial *trial, int64_t until_ms)
{
    const struct tool_call_handlers handlers = {.done = on_done, .context = trial};
    const struct tool tool = {.action = trial->actions[trial->at], .connection = trial->connection};
    const struct tool_call_request request = {.tool            = tool,
                                              .namespace       = str_from(trial->namespace),
                                              .idempotency_key = str_from(trial->key),
                                              .created_us      = clock_unix_us(),
                                              .until_ms        = until_ms};
    struct tool_call *call                 = tool_call_start(&trial->means, &request, &handlers);
    if (call) trial->call = call; /* else it is over, and the timer is set */
}

static void on_next(void *context)
{
    struct tool_trial *trial = context;
    uint8_t nonce[NONCE_BYTES];
    trial->started_ms = clock_mono_ms();
    int64_t until_ms  = trial->started_ms + TOOL_TRIAL_MS;
    if (trial->at == trial->count || trial->started_ms >= trial->until_ms) {
        finish(trial);
        return;
    }
    random_bytes(nonce, sizeof nonce);
    hex_encode(nonce, sizeof nonce, trial->key);
    begin(trial, until_ms < trial->until_ms ? until_ms : trial->until_ms);
}

/* --- life --------------------------------------------------------------------------------------
 */

status tool_trial_start(const struct exchange_means *means,
                        const struct tool_trial_request *request, struct tool_trial **ret_trial,
                        struct error *reterr)
{
    const struct connection *connection = NULL;
    TRY(toolbox_connect(request->toolbox, request->connection, request->namespace, &connection,
                        reterr));
    struct tool_trial *trial = mem_new(1, sizeof *trial);
    trial->means             = *means;
    trial->means.cache       = NULL; /* it is to be asked now */
    trial->request           = *request;
    trial->connection        = connection;
    trial->until_ms          = clock_mono_ms() + TOOL_TRIAL_TOTAL_MS;
    trial->next              = (struct loop_timer){.fire = on_next, .context = trial};
    trial->namespace         = strndup(request->namespace.ptr, request->namespace.len);
    ASSERT(trial->namespace);
    (void)toolbox_ref(request->toolbox);
    choose(trial);
    trial->is_starting = true;
    on_next(trial);
    trial->is_starting = false;
    *ret_trial         = trial->is_over ? NULL : trial;
    if (trial->is_over) trial_free(trial);
    return STATUS_OK;
}

void tool_trial_cancel(struct tool_trial *trial)
{
    if (!trial) return;
    tool_call_cancel(trial->call);
    trial_free(trial);
}
