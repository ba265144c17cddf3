/**
 * engine_budgets: budgets at work, in the engine's turn.
 *
 * A job that costs money and is charged to a budget is held until it may go. At the end of a turn
 * those that could go otherwise ask: the run's own budget in this partition, all others in the
 * system partition, by a message that arrives once and in order (outbox.h); the system partition
 * asks itself in the same turn. When the attempt ends, however it does, the question ends with it.
 * docs/internals/budgets.md.
 */
#ifndef SCHEDULER_BUDGETS_ENGINE_BUDGETS_H
#define SCHEDULER_BUDGETS_ENGINE_BUDGETS_H

#include "scheduler/engine/budgets/book.h"
#include "scheduler/engine/engine_internal.h"

/* --- spending.c, payers.c: every partition -----------------------------------------------------
 */

/** Says whether the job that `event` schedules undoes something (jobs.c). */
bool engine_job_undoes(const struct live_run *live, const struct event *event);

/** Lets a suspended run go on; OK if it is none (runs.c). */
status engine_resume(struct engine *engine, struct live_run *live, str reason, str by,
                     struct error *reterr);

/** How a job that was scheduled just now stands with budgets; NULL: it asks none. Owned. */
struct funding *engine_fund(struct engine *engine, const struct live_run *live,
                            const struct event *event, const char *function);

/** The attempt is over, or the job goes: what was set aside comes back, and the question ends. The
 * caller writes the job's row, or deletes it. */
status engine_fund_end(struct engine *engine, struct open_job *job, struct error *reterr);

/** The same by a worker's report (NULL: there is none), which says what it has cost. */
status engine_fund_report(struct engine *engine, struct open_job *job, const Pb__JobReport *report,
                          struct error *reterr);

/** How an attempt has ended, of a job that may be gone. */
struct attempt_end {
    const struct id *job;
    str run;
    const struct funding *funding; /* NULL: it had none */
    uint32_t number;               /* of its question; 0: there is none, or its end was told */
    const Pb__Usage *used;         /* NULL: nothing */
    const Pb__ModelPrice *price;   /* of its model; NULL: not said */
};

/** Tells whoever has set something aside. Without a question those are charged that would have
 * been asked. */
status engine_fund_tell(struct engine *engine, const struct attempt_end *attempt,
                        struct error *reterr);

/** What the run may spend itself, with what is set aside of that in this partition. */
struct budget engine_own_budget(struct engine *engine, const struct live_run *live);

/** The call of a leased job has outgrown what is set aside for it (draws.c): more is, as far as
 * there is some, and `answer` says what it may cost then; or that the system partition has been
 * asked, and is to answer first. What is told lives as long as `arena`. */
status engine_draw(struct engine *engine, struct open_job *job, const Pb__BudgetDraw *draw,
                   struct arena *arena, Pb__HeartbeatAnswer *answer, struct error *reterr);
status engine_take_budget_draw(struct engine *engine, const Pb__BudgetDraw *draw,
                               struct error *reterr);
status engine_take_budget_drawn(struct engine *engine, const Pb__BudgetDrawn *drawn,
                                struct error *reterr);

/** Asks for the jobs that need it, takes what the system partition says, and if this is it, does
 * its work. Before jobs are handed out. */
status engine_budgets_settle(struct engine *engine, struct error *reterr);

/** When that will next have something to do; INT64_MAX: never. */
int64_t engine_budgets_due_us(const struct engine *engine);

/** The system partition has spoken. */
status engine_take_budget_answer(struct engine *engine, const Pb__BudgetAnswer *answer,
                                 struct error *reterr);
status engine_take_budget_news(struct engine *engine, const Pb__BudgetNews *news,
                               struct error *reterr);

/** Reads the rows; before open jobs are read. */
status engine_budgets_recover(struct engine *engine, struct error *reterr);

/** Its run was resumed by somebody: if a budget has stopped it, it asks again. */
status engine_fund_wake(struct engine *engine, struct open_job *job, struct error *reterr);

/** An open job was read with its row. */
void engine_fund_restore(struct engine *engine, struct open_job *job, const Pb__JobFunding *row);

void engine_budgets_forget(struct engine *engine);

/** Purses: budgets of runs that their child runs spend with them. A child is told of those of the
 * runs around it among the scopes that it is charged to (purses.c).
 *
 * The scopes that a child of `live`, whose row is `row`, is charged to; `is_bounded`: it spends of
 * its purses. They live as long as the turn. */
status engine_child_scopes(struct engine *engine, const struct live_run *live,
                           const Pb__RunView *row, bool is_bounded, const char ***ret_scopes,
                           size_t *ret_count, struct error *reterr);

/** Its purse, if its workflow starts child runs that spend of it, and those of the runs around it.
 */
status engine_purses_of(struct engine *engine, const struct live_run *live, const Pb__RunView *row,
                        struct payers *payers, struct error *reterr);

/** The run is over and will not go on; or its rows go. Its purse goes, if it has one. */
status engine_purse_over(struct engine *engine, const struct live_run *live, struct error *reterr);
status engine_purse_delete(struct engine *engine, const Pb__RunView *row, struct error *reterr);
/** The same of a run of which nothing is known. */
status engine_purse_end(struct engine *engine, str run, struct error *reterr);

/** Whose budgets a job of `run` is charged to: those of its namespace, its labels, the key that
 * started it, itself, and of the runs around it. INVALID_ARGUMENT: of too many; then the first
 * BUDGET_PAYERS_MAX are in `*ret_payers`. NOT_FOUND, DATA_LOSS: there is no such row. */
status engine_payers(struct engine *engine, str run, struct payers *ret_payers,
                     const char **ret_namespace, struct error *reterr);

/** The scopes of a run as texts, for its children. Live as long as the turn. */
status engine_scopes_of(struct engine *engine, const Pb__RunView *row, const char ***ret_scopes,
                        size_t *ret_count, struct error *reterr);

/** The row of a run, in the making or as it stands. NOT_FOUND. */
status engine_run_row(struct engine *engine, str run, Pb__RunView **ret_row, struct error *reterr);

/* --- run_calls.c -------------------------------------------------------------------------------
 */

/** Of a call of a client that is charged to a run, in that run's partition: Pb__ReserveRun ->
 * Pb__ReservedRun. */
status engine_reserve_run(struct engine *engine, struct command *command, struct error *reterr);

/** The call is over: the run is charged, and what was set aside comes back. */
status engine_take_run_charge(struct engine *engine, const Pb__RunCharge *charge,
                              struct error *reterr);

/** Tells the partition of the run that `row` names what its call has used. Of the system partition.
 */
status engine_tell_run_charge(struct engine *engine, const Pb__UsageRecord *row,
                              struct error *reterr);

/* --- prices.c ----------------------------------------------------------------------------------
 */

/** What the tokens of a model cost, as far as this partition has heard; NULL: it has not. */
const Pb__ModelPrice *engine_price_of(const struct engine *engine, const char *model);
status engine_price_learn(struct engine *engine, const char *model, const Pb__ModelPrice *price,
                          struct error *reterr);

/* --- budget_owner.c: the system partition ------------------------------------------------------
 */

status engine_take_budget_ask(struct engine *engine, const Pb__BudgetAsk *ask,
                              struct error *reterr);
status engine_take_budget_end(struct engine *engine, const Pb__BudgetEnd *end,
                              struct error *reterr);

/** A run is over that had a purse with its child runs (purses.c). */
status engine_take_purse_end(struct engine *engine, const Pb__RunPurseEnd *end,
                             struct error *reterr);

/** Commands: Pb__PutBudget -> Pb__BudgetView; Pb__DeleteBudget -> Pb__DeletedBudget. */
status engine_put_budget(struct engine *engine, struct command *command, struct error *reterr);
status engine_delete_budget(struct engine *engine, struct command *command, struct error *reterr);

/** A budget that comes with something else that `command` makes, which is refused if the budget is:
 * then nothing has changed. */
status engine_make_budget(struct engine *engine, struct command *command,
                          const Pb__PutBudget *request, struct error *reterr);

/** Of calls that are no jobs (calls.c): Pb__ReserveBudgets -> Pb__ReservedBudgets;
 * Pb__SettleBudgets
 * -> Pb__SettledBudgets. */
status engine_reserve_budgets(struct engine *engine, struct command *command, struct error *reterr);
status engine_settle_budgets(struct engine *engine, struct command *command, struct error *reterr);

/** Begins days, writes rows that have changed, and tells what was decided. */
status engine_ledger_settle(struct engine *engine, struct error *reterr);

#endif
