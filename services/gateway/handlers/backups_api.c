/* Backups of the scheduler's data. */
#include "gateway/handlers/handlers.h"
#include "system.pb-c.h"

static const char *state_name(Pb__BackupState state)
{
    switch (state) {
    case PB__BACKUP_STATE__BACKUP_STATE_RUNNING: return "running";
    case PB__BACKUP_STATE__BACKUP_STATE_COMPLETED: return "completed";
    default: return "failed";
    }
}

static void put_backup(struct json_writer *w, const Pb__BackupView *backup)
{
    json_begin_object(w);
    json_put_text(w, "name", str_from(backup->name));
    json_put_text(w, "status", str_from(state_name(backup->state)));
    json_put_time(w, "created_at", backup->created_us);
    json_put_int(w, "partitions", backup->partitions);
    if (backup->size_bytes > 0) json_put_int(w, "size_bytes", (int64_t)backup->size_bytes);
    if (*backup->failure) json_put_text(w, "error", str_from(backup->failure));
    json_end_object(w);
}

static void on_begun(struct api_call *call, const struct rpc_answer *answer)
{
    struct api_answer response;
    api_answer_begin(&response, call);
    put_backup(&response.json, answer->message);
    api_answer_send(&response, 202, NULL);
}

static void on_backups(struct api_call *call, const struct rpc_answer *answer)
{
    const Pb__BackupList *list = answer->message;
    struct api_answer response;
    api_list_begin(&response, call);
    for (size_t i = 0; i < list->n_backups; i++) put_backup(&response.json, list->backups[i]);
    api_list_send(&response, "");
}

static void on_backup(struct api_call *call, const struct rpc_answer *answer)
{
    const Pb__BackupList *list = answer->message;
    if (list->n_backups == 0) {
        api_fail_with(call, "not_found", (str){}, "there is no such backup");
        return;
    }
    struct api_answer response;
    api_answer_begin(&response, call);
    put_backup(&response.json, list->backups[0]);
    api_answer_send(&response, 200, NULL);
}

void backups_create(struct api_call *call)
{
    Pb__BeginBackup message = PB__BEGIN_BACKUP__INIT;
    json name               = json_get_text(call->body, "name");
    if (json_is(name, JSON_TEXT)) message.name = api_text(call, json_str(name));
    const struct api_ask ask = {.service = &pb__system__descriptor,
                                .method  = "CreateBackup",
                                .message = &message,
                                .then    = on_begun};
    api_ask_scheduler(call, &ask);
}

static void ask_list(struct api_call *call, const char *name, api_then *then)
{
    Pb__ListBackups message  = PB__LIST_BACKUPS__INIT;
    message.name             = name;
    const struct api_ask ask = {
        .service = &pb__system__descriptor, .method = "Backups", .message = &message, .then = then};
    api_ask_scheduler(call, &ask);
}

void backups_list(struct api_call *call)
{
    ask_list(call, "", on_backups);
}

void backups_get(struct api_call *call)
{
    ask_list(call, api_text(call, call->params[0]), on_backup);
}
