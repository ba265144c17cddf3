/* Versions of workflows that go: no start finds them any more. Definitions that runs are pinned to
 * stay where the runs are. */
#include "scheduler/engine/engine_internal.h"
#include "scheduler/engine/schedules/schedules.h"
#include "workflow.pb-c.h"

/* --- schedules that start it -------------------------------------------------------------------
 */

struct search {
    struct engine *engine;
    const struct workflow_name *wanted;
    const char *schedule; /* found; NULL: none */
};

static bool names(const struct search *search, const char *reference)
{
    struct workflow_name name = {};
    bool is_read = workflow_name_read(str_from(reference), search->wanted->namespace, &name,
                                      NULL) == STATUS_OK;
    return is_read && str_equal(name.name, search->wanted->name) &&
           str_equal(name.version, search->wanted->version);
}

static status look(bytes, bytes row, struct error *reterr, void *context)
{
    struct search *search  = context;
    Pb__ScheduleView *view = NULL;
    if (search->schedule) return STATUS_OK;
    TRY(record_read(row, &pb__schedule_view__descriptor, search->engine->arena, &view, reterr));
    bool is_own = !view->spec && str_is(search->wanted->name, view->name) &&
                  str_is(search->wanted->version, view->version);
    bool is_callers = view->spec && names(search, view->spec->workflow);
    if (is_own) search->schedule = "of its own document";
    if (is_callers) search->schedule = view->name[0] == ':' ? view->name + 1 : view->name;
    return STATUS_OK;
}

static status find_schedule(struct search *search, struct error *reterr)
{
    enum { ROWS_PER_PAGE = 1'000 };
    struct key prefix;
    struct page page = {.has_more = true};
    key_begin(&prefix);
    key_put_text(&prefix, search->wanted->namespace);
    const struct scan scan = {.prefix = key_bytes(&prefix)};
    while (page.has_more && !search->schedule) {
        TRY(txn_page(search->engine->txn, TABLE_SCHEDULES, &scan, ROWS_PER_PAGE, &page, look,
                     search, reterr));
    }
    return STATUS_OK;
}

/* --- the command -------------------------------------------------------------------------------
 */

/* The version before it is the newest one now, and its schedule begins, if it has one. */
static status begin_older(struct engine *engine, const struct workflow_name *deleted,
                          struct error *reterr)
{
    const struct workflow_name name = {.namespace = deleted->namespace, .name = deleted->name};
    CLEANUP(workflow_unrefp) const struct workflow *newest = NULL;
    Pb__ScheduleView *row                                  = NULL;
    status found = engine_resolve(engine, &name, &newest, NULL);
    if (found == STATUS_NOT_FOUND) return STATUS_OK;
    if (found != STATUS_OK) return fail(reterr, found, "a definition cannot be read");
    TRY(schedule_row_get(engine, name.namespace, name.name, &row, reterr));
    return row ? STATUS_OK : engine_schedule(engine, newest, reterr);
}

status engine_delete_workflow(struct engine *engine, struct command *command, struct error *reterr)
{
    const Pb__WorkflowVersion *request = command->request;
    const struct workflow_name wanted  = {.namespace = command->namespace,
                                          .name      = str_from(request->name),
                                          .version   = str_from(request->version)};
    struct search search               = {.engine = engine, .wanted = &wanted};
    struct key key;
    bytes row = {};
    engine_answer(engine, command);
    workflow_key(&key, wanted.namespace, wanted.name, wanted.version);
    status got = wanted.version.len > 0
                     ? txn_get(engine->txn, TABLE_WORKFLOWS, key_bytes(&key), &row, NULL)
                     : STATUS_NOT_FOUND;
    if (got == STATUS_NOT_FOUND) {
        return command_refuse(command, STATUS_NOT_FOUND, "not_found",
                              "workflow " STR_FMT "/%s:%s is not registered",
                              STR_ARG(wanted.namespace), request->name, request->version);
    }
    if (got != STATUS_OK) return fail(reterr, got, "a workflow cannot be read");
    TRY(find_schedule(&search, reterr));
    if (search.schedule) {
        return command_refuse(command, STATUS_FAILED_PRECONDITION, "in_use",
                              "the schedule %s starts this version: change or delete it first",
                              search.schedule);
    }
    TRY(txn_delete(engine->txn, TABLE_WORKFLOWS, key_bytes(&key), reterr));
    return begin_older(engine, &wanted, reterr);
}
