/* What calls that are no jobs have used: told to the scheduler, one report at a time. */
#include "base/clock.h"
#include "base/log.h"
#include "llm-proxy/guard/guard_internal.h"
#include "usage.pb-c.h"

void guard_set_journal(struct guard *guard, struct usage_journal *journal)
{
    guard->journal = journal;
}

/* What failed may have been said before the stop, to a scheduler that died since. */
static void tell_before_stop(struct guard *guard)
{
    if (!guard->may_tell_again) return;
    guard->may_tell_again   = false;
    guard->is_usage_unheard = false;
    guard_tell_usage(guard);
}

static void on_counted(void *context, void *, const struct rpc_answer *answer)
{
    struct guard *guard     = context;
    guard->is_telling_usage = false;
    guard->is_usage_unheard = answer->code != STATUS_OK;
    if (answer->code != STATUS_OK) { /* in a second again, if there is one */
        bool is_refused = answer->code == STATUS_INVALID_ARGUMENT ||
                          answer->code == STATUS_UNIMPLEMENTED ||
                          answer->code == STATUS_PERMISSION_DENIED;
        if (is_refused) {
            log_write(LOG_ERROR, "the scheduler refuses to hear what calls have used",
                      LOG_TEXT_OF("error", answer->detail));
        }
        tell_before_stop(guard);
        return;
    }
    guard->lost_run_count = 0;
    usage_journal_counted(guard->journal);
    /* Others may wait from before; what came meanwhile waits for the next second. */
    if (guard->tells_soon || usage_journal_is_left(guard->journal)) guard_tell_usage(guard);
}

void guard_tell_usage(struct guard *guard)
{
    if (!guard->journal || guard->is_telling_usage || !guard->questions.scheduler) return;
    const Pb__UsageReport *report = usage_journal_next(guard->journal);
    guard->tells_soon             = false;
    if (!report) return;
    struct rpc_request request = {
        .service = &pb__usages__descriptor, .method = "Report", .message = report};
    guard->is_telling_usage = guard_ask(guard, NULL, &request, on_counted);
    if (!guard->is_telling_usage) guard->is_usage_unheard = true;
}

void guard_tell_soon(struct guard *guard)
{
    guard->tells_soon = true;
    guard_tell_usage(guard);
}

void guard_note_usage(struct guard *guard, const struct usage_owner *owner, const Pb__Usage *used)
{
    if (!guard->journal) return;
    usage_journal_add(guard->journal, owner, used, clock_unix_us());
    if (owner->end_count > 0) guard_tell_soon(guard);
}

void guard_tell_usage_last(struct guard *guard)
{
    guard->may_tell_again   = guard->is_telling_usage;
    guard->is_usage_unheard = false;
    guard_tell_usage(guard);
}

bool guard_awaits_usage(const struct guard *guard)
{
    if (!guard->journal || !usage_journal_is_pending(guard->journal)) return false;
    if (!usage_journal_is_kept(guard->journal)) return true;
    return guard->is_telling_usage || !guard->is_usage_unheard;
}
