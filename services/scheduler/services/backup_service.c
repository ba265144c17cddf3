/* System: backups of the partitions of this process. */
#include "scheduler/services/call.h"
#include "scheduler/services/services.h"
#include "system.pb-c.h"

static void fill(Pb__BackupView *answer, const struct backup_view *view)
{
    static const Pb__BackupState states[] = {
        [BACKUP_RUNNING]   = PB__BACKUP_STATE__BACKUP_STATE_RUNNING,
        [BACKUP_COMPLETED] = PB__BACKUP_STATE__BACKUP_STATE_COMPLETED,
        [BACKUP_FAILED]    = PB__BACKUP_STATE__BACKUP_STATE_FAILED,
    };
    *answer            = (Pb__BackupView)PB__BACKUP_VIEW__INIT;
    answer->name       = view->name;
    answer->state      = states[view->state];
    answer->created_us = view->created_us;
    answer->size_bytes = view->size_bytes;
    answer->partitions = view->partitions;
    if (view->failure) answer->failure = view->failure;
}

status backup_begin_handle(struct rpc_call *call, struct error *reterr)
{
    const Pb__BeginBackup *request = call->request;
    struct backup_view view        = {};
    TRY(backups_begin(scheduler_backups(call->context), str_from(request->name), call->arena, &view,
                      reterr));
    fill(call->response, &view);
    rpc_reply(call, STATUS_OK, NULL);
    return STATUS_OK;
}

status backup_list_handle(struct rpc_call *call, struct error *reterr)
{
    const Pb__ListBackups *request = call->request;
    Pb__BackupList *answer         = call->response;
    struct backup_view *views      = NULL;
    size_t count                   = 0;
    TRY(backups_list(scheduler_backups(call->context), call->arena, &views, &count, reterr));
    Pb__BackupView *items = arena_alloc(call->arena, (count + 1) * sizeof *items);
    answer->backups       = arena_alloc(call->arena, (count + 1) * sizeof *answer->backups);
    if (!items || !answer->backups) return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "no memory");
    for (size_t i = 0; i < count; i++) {
        if (*request->name && strcmp(request->name, views[i].name) != 0) continue;
        fill(&items[i], &views[i]);
        answer->backups[answer->n_backups++] = &items[i];
    }
    rpc_reply(call, STATUS_OK, NULL);
    return STATUS_OK;
}
