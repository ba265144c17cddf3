/* Budgets of runs that their child runs spend with them. */
#include "scheduler/engine/budgets/engine_budgets.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PURSE_SCOPE "purse:" /* "purse:RUN:TOKENS:NANOS" */

enum { SCOPE_SIZE = 96 };

static bool has_budget(const struct live_run *live)
{
    return run_budget_tokens(live->run) > 0 || run_budget_usd_nanos(live->run) > 0;
}

/* What is not waited for has a budget of its own, or none. */
static bool starts_children(const struct workflow *workflow)
{
    for (uint32_t i = 0; i < workflow->task_count; i++) {
        const struct task *task = &workflow->tasks[i];
        if (task->kind == TASK_RUN && !task->run.is_detached) return true;
    }
    return false;
}

/* NULL: it has none. */
static status own_purse(struct engine *engine, const struct live_run *live,
                        Pb__RunPurse **ret_purse, struct error *reterr)
{
    *ret_purse = NULL;
    if (!has_budget(live) || !starts_children(run_workflow(live->run))) return STATUS_OK;
    *ret_purse = arena_alloc(engine->arena, sizeof **ret_purse);
    if (!*ret_purse) return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "no memory");
    pb__run_purse__init(*ret_purse);
    (*ret_purse)->run       = live->id.text;
    (*ret_purse)->tokens    = run_budget_tokens(live->run);
    (*ret_purse)->usd_nanos = run_budget_usd_nanos(live->run);
    return STATUS_OK;
}

/* --- as scopes ---------------------------------------------------------------------------------
 */

static bool is_purse(const char *scope)
{
    return str_starts_with(str_from(scope), str_from(PURSE_SCOPE));
}

/* Up to `end`, which goes with it. */
static bool take_number(const char **text, char end, int64_t *ret_number)
{
    char *rest       = NULL;
    long long number = strtoll(*text, &rest, 10);
    bool is_number   = rest != *text && *rest == end && number >= 0;
    *ret_number      = number;
    if (is_number && end != '\0') rest++;
    *text = rest;
    return is_number;
}

/* What no partition has written is none. */
static bool read_scope(const char *scope, struct arena *arena, Pb__RunPurse *ret_purse)
{
    str rest   = str_slice(str_from(scope), sizeof PURSE_SCOPE - 1, strlen(scope));
    *ret_purse = (Pb__RunPurse)PB__RUN_PURSE__INIT;
    if (rest.len <= ID_LEN || rest.ptr[ID_LEN] != ':') return false;
    const char *numbers = rest.ptr + ID_LEN + 1;
    ret_purse->run      = text_in(arena, str_slice(rest, 0, ID_LEN));
    return ret_purse->run && id_is_valid(str_from(ret_purse->run)) &&
           take_number(&numbers, ':', &ret_purse->tokens) &&
           take_number(&numbers, '\0', &ret_purse->usd_nanos);
}

static status put_scope(struct engine *engine, const Pb__RunPurse *purse, const char **ret_scope,
                        struct error *reterr)
{
    char text[SCOPE_SIZE];
    (void)snprintf(text, sizeof text, PURSE_SCOPE "%s:%" PRId64 ":%" PRId64, purse->run,
                   purse->tokens, purse->usd_nanos);
    *ret_scope = text_in(engine->arena, str_from(text));
    return *ret_scope ? STATUS_OK : fail(reterr, STATUS_RESOURCE_EXHAUSTED, "no memory");
}

status engine_child_scopes(struct engine *engine, const struct live_run *live,
                           const Pb__RunView *row, bool is_bounded, const char ***ret_scopes,
                           size_t *ret_count, struct error *reterr)
{
    const char **all  = NULL;
    size_t count      = 0;
    size_t kept       = 0;
    Pb__RunPurse *own = NULL;
    TRY(engine_scopes_of(engine, row, &all, &count, reterr));
    const char **scopes = arena_alloc(engine->arena, (count + 1) * sizeof *scopes);
    if (!scopes) return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "no memory");
    for (size_t i = 0; i < count; i++) {
        if (is_bounded || !is_purse(all[i])) scopes[kept++] = all[i];
    }
    if (is_bounded) TRY(own_purse(engine, live, &own, reterr));
    if (own) TRY(put_scope(engine, own, &scopes[kept++], reterr));
    *ret_scopes = scopes;
    *ret_count  = kept;
    return STATUS_OK;
}

/* --- who pays ----------------------------------------------------------------------------------
 */

status engine_purses_of(struct engine *engine, const struct live_run *live, const Pb__RunView *row,
                        struct payers *payers, struct error *reterr)
{
    Pb__RunPurse *own = NULL;
    TRY(own_purse(engine, live, &own, reterr));
    if (own) payers->purses[payers->purse_count++] = own;
    for (size_t i = 0; i < row->n_charged_to && payers->purse_count < RUN_PURSES_MAX; i++) {
        if (!is_purse(row->charged_to[i])) continue;
        Pb__RunPurse *purse = arena_alloc(engine->arena, sizeof *purse);
        if (!purse) return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "no memory");
        bool is_fine = read_scope(row->charged_to[i], engine->arena, purse);
        if (is_fine) payers->purses[payers->purse_count++] = purse;
    }
    return STATUS_OK;
}

/* --- the end -----------------------------------------------------------------------------------
 */

static status tell_end(struct engine *engine, const char *run, struct error *reterr)
{
    Pb__RunPurseEnd end   = PB__RUN_PURSE_END__INIT;
    Pb__Message message   = PB__MESSAGE__INIT;
    end.run               = run;
    message.content_case  = PB__MESSAGE__CONTENT_RUN_PURSE_END;
    message.run_purse_end = &end;
    if (engine->ledger) return engine_take_purse_end(engine, &end, reterr);
    return engine_tell(engine, 0, &message, reterr);
}

status engine_purse_over(struct engine *engine, const struct live_run *live, struct error *reterr)
{
    if (!has_budget(live) || !starts_children(run_workflow(live->run))) return STATUS_OK;
    return tell_end(engine, live->id.text, reterr);
}

status engine_purse_end(struct engine *engine, str run, struct error *reterr)
{
    return tell_end(engine, text_in(engine->arena, run), reterr);
}

/* One that has faulted could have gone on; of one that was stopped a child may have asked late. */
status engine_purse_delete(struct engine *engine, const Pb__RunView *row, struct error *reterr)
{
    bool had_budget = row->budget_tokens > 0 || row->budget_usd_nanos > 0;
    bool is_over    = row->status == PB__RUN_STATUS__RUN_STATUS_COMPLETED;
    if (!had_budget || is_over) return STATUS_OK;
    return tell_end(engine, row->id, reterr);
}
