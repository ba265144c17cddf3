/* What other partitions say, and how they are told: outbox.h. */
#include "base/log.h"
#include "scheduler/engine/audit/engine_audit.h"
#include "scheduler/engine/breakers/engine_breakers.h"
#include "scheduler/engine/budgets/engine_budgets.h"
#include "scheduler/engine/call_cache.h"
#include "scheduler/engine/events/events.h"
#include "scheduler/engine/events/webhooks.h"
#include "scheduler/engine/limits/engine_limits.h"
#include "scheduler/engine/rows.h"

status engine_tell(struct engine *engine, uint16_t partition, const Pb__Message *message,
                   struct error *reterr)
{
    return outbox_put(engine->outbox, engine->txn, partition, message, reterr);
}

static status take(struct engine *engine, const Pb__Message *message, struct error *reterr)
{
    switch (message->content_case) {
    case PB__MESSAGE__CONTENT_RUN_ORDER:
        return engine_take_run_order(engine, message->run_order, reterr);
    case PB__MESSAGE__CONTENT_CHILD_STOP:
        return engine_take_child_stop(engine, message->child_stop, reterr);
    case PB__MESSAGE__CONTENT_CHILD_ANSWER:
        return engine_take_child_answer(engine, message->child_answer, reterr);
    case PB__MESSAGE__CONTENT_EVENT_ARRIVAL:
        return engine_event_arrived(engine, message->event_arrival, reterr);
    case PB__MESSAGE__CONTENT_EVENT_TAKEN:
        return engine_event_taken(engine, message->event_taken, reterr);
    case PB__MESSAGE__CONTENT_SUBSCRIPTION_OFF:
        return engine_subscription_off(engine, message->subscription_off, reterr);
    case PB__MESSAGE__CONTENT_CACHE_ASK:
        return engine_take_cache_ask(engine, message->cache_ask, reterr);
    case PB__MESSAGE__CONTENT_CACHE_ANSWER:
        return engine_take_cache_answer(engine, message->cache_answer, reterr);
    case PB__MESSAGE__CONTENT_CACHE_END:
        return engine_take_cache_end(engine, message->cache_end, reterr);
    case PB__MESSAGE__CONTENT_CACHE_PROBE:
        return engine_take_cache_probe(engine, message->cache_probe, reterr);
    case PB__MESSAGE__CONTENT_CACHE_ALIVE:
        return engine_take_cache_alive(engine, message->cache_alive, reterr);
    case PB__MESSAGE__CONTENT_SCHEDULE_ANSWER:
        return engine_take_schedule_answer(engine, message->schedule_answer, reterr);
    case PB__MESSAGE__CONTENT_BREAKER_REPORT:
        return engine_take_breaker_report(engine, message->breaker_report, reterr);
    case PB__MESSAGE__CONTENT_BREAKER_NEWS:
        return engine_take_breaker_news(engine, message->breaker_news, reterr);
    case PB__MESSAGE__CONTENT_LIMIT_ASKS:
        return engine_take_limit_asks(engine, message->limit_asks, reterr);
    case PB__MESSAGE__CONTENT_LIMIT_NEWS:
        return engine_take_limit_news(engine, message->limit_news, reterr);
    case PB__MESSAGE__CONTENT_BUDGET_ASK:
        return engine_take_budget_ask(engine, message->budget_ask, reterr);
    case PB__MESSAGE__CONTENT_BUDGET_ANSWER:
        return engine_take_budget_answer(engine, message->budget_answer, reterr);
    case PB__MESSAGE__CONTENT_BUDGET_END:
        return engine_take_budget_end(engine, message->budget_end, reterr);
    case PB__MESSAGE__CONTENT_RUN_PURSE_END:
        return engine_take_purse_end(engine, message->run_purse_end, reterr);
    case PB__MESSAGE__CONTENT_BUDGET_NEWS:
        return engine_take_budget_news(engine, message->budget_news, reterr);
    case PB__MESSAGE__CONTENT_BUDGET_DRAW:
        return engine_take_budget_draw(engine, message->budget_draw, reterr);
    case PB__MESSAGE__CONTENT_BUDGET_DRAWN:
        return engine_take_budget_drawn(engine, message->budget_drawn, reterr);
    case PB__MESSAGE__CONTENT_AUDIT_RECORDS:
        return engine_take_audit(engine, message->audit_records, reterr);
    case PB__MESSAGE__CONTENT_RUN_CHARGE:
        return engine_take_run_charge(engine, message->run_charge, reterr);
    default: break;
    }
    log_write(LOG_ERROR, "message.unknown", LOG_INT("kind", message->content_case));
    return STATUS_OK;
}

/* Where it is not known what was taken of a sender, a message is taken rather than lost: the sender
 * repeats one only if it has not heard that it was, and most say nothing new the second time. */
static status is_new(struct engine *engine, uint16_t source, uint64_t sequence, bool *ret_is_new,
                     struct error *reterr)
{
    struct key key;
    struct error why = {};
    status taken     = inbox_take(engine->txn, source, sequence, ret_is_new, &why);
    if (taken == STATUS_OK) return STATUS_OK;
    if (taken != STATUS_DATA_LOSS) return fail(reterr, taken, "%s", why.text);
    inbox_key(&key, source);
    engine_row_unreadable(engine, TABLE_INBOX, key_bytes(&key), &why);
    TRY(inbox_forget(engine->txn, source, reterr));
    return inbox_take(engine->txn, source, sequence, ret_is_new, reterr);
}

status engine_take_messages(struct engine *engine, struct command *command, struct error *reterr)
{
    const struct message_batch *batch = command->request;
    engine_answer(engine, command);
    if (engine->is_fill_unknown) { /* an order of a run would be refused for good */
        return command_refuse(command, STATUS_RESOURCE_EXHAUSTED, "store_full",
                              "the store had no room just now; try again");
    }
    for (size_t i = 0; i < batch->count; i++) {
        bool is_wanted = false;
        TRY(is_new(engine, batch->source, batch->sequences[i], &is_wanted, reterr));
        if (is_wanted) TRY(take(engine, batch->messages[i], reterr));
    }
    return STATUS_OK;
}
