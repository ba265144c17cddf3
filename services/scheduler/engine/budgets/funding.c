#include "scheduler/engine/budgets/funding.h"

#include "base/assert.h"
#include "base/map.h"
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

enum { PURSES_MAX = 4'000'000 };

/* --- one ---------------------------------------------------------------------------------------
 */

struct funding *funding_new(str model)
{
    struct funding *funding = mem_new(1, sizeof *funding);
    funding->model          = mem_dup(model.ptr, model.len);
    funding->room           = (struct spend){-1, -1};
    return funding;
}

void funding_free(struct funding *funding)
{
    if (!funding) return;
    funding_unlist(funding);
    free(funding->model);
    free(funding->told);
    free(funding);
}

void funding_tell(struct funding *funding, const char *text)
{
    free(funding->told);
    funding->told = *text ? mem_dup(text, strlen(text)) : NULL;
}

Pb__BudgetRoom *funding_put_room(const struct funding *funding, Pb__BudgetRoom *ret_room)
{
    if (funding->room.tokens < 0 && funding->room.nanos < 0) return NULL;
    *ret_room        = (Pb__BudgetRoom)PB__BUDGET_ROOM__INIT;
    ret_room->tokens = funding->room.tokens;
    ret_room->nanos  = funding->room.nanos;
    return ret_room;
}

void funding_take_room(struct funding *funding, const Pb__BudgetRoom *room)
{
    if (!room) return;
    funding->room = spend_least(funding->room, (struct spend){room->tokens, room->nanos});
}

void funding_to_row(const struct funding *funding, Pb__JobFunding *ret_row)
{
    *ret_row               = (Pb__JobFunding)PB__JOB_FUNDING__INIT;
    ret_row->state         = funding->state;
    ret_row->number        = funding->number;
    ret_row->has_asked     = funding->has_asked;
    ret_row->input_tokens  = funding->input_tokens;
    ret_row->output_tokens = funding->output_tokens;
    ret_row->model         = funding->model;
    ret_row->has_own       = funding->has_own;
    ret_row->own_tokens    = funding->own.tokens;
    ret_row->own_nanos     = funding->own.nanos;
    ret_row->has_paused    = funding->has_paused;
    ret_row->needs_price   = funding->needs_price;
    ret_row->told          = funding->told ? funding->told : "";
}

struct funding *funding_from_row(const Pb__JobFunding *row)
{
    struct funding *funding = funding_new(str_from(row->model));
    funding->state          = row->state;
    funding->number         = row->number;
    funding->has_asked      = row->has_asked;
    funding->input_tokens   = row->input_tokens;
    funding->output_tokens  = row->output_tokens;
    funding->has_own        = row->has_own;
    funding->has_paused     = row->has_paused;
    funding->needs_price    = row->needs_price;
    funding_take_room(funding, row->room);
    funding_tell(funding, row->told);
    return funding;
}

/* --- lists -------------------------------------------------------------------------------------
 */

void funding_unlist(struct funding *funding)
{
    struct funding_list *list = funding->list;
    if (!list) return;
    if (funding->previous) funding->previous->next = funding->next;
    if (funding->next) funding->next->previous = funding->previous;
    if (list->first == funding) list->first = funding->next;
    if (list->last == funding) list->last = funding->previous;
    funding->next = funding->previous = NULL;
    funding->list                     = NULL;
}

void funding_list_add(struct funding_list *list, struct funding *funding)
{
    if (funding->list == list) return;
    funding_unlist(funding);
    funding->previous = list->last;
    if (list->last) list->last->next = funding;
    if (!list->first) list->first = funding;
    list->last    = funding;
    funding->list = list;
}

/* --- purses ------------------------------------------------------------------------------------
 */

void fundings_init(struct fundings *fundings)
{
    *fundings = (struct fundings){.purses = map_new(PURSES_MAX)};
}

void fundings_done(struct fundings *fundings)
{
    size_t cursor = 0;
    void *purse   = NULL;
    while (map_next(fundings->purses, &cursor, NULL, &purse)) free(purse);
    map_free(fundings->purses);
}

struct purse *fundings_purse(struct fundings *fundings, str run)
{
    struct purse *purse = map_get(fundings->purses, run);
    if (purse) return purse;
    purse       = mem_new(1, sizeof *purse);
    bool is_put = map_put(fundings->purses, run, purse);
    ASSERT(is_put); /* there are not more runs than open jobs */
    return purse;
}

void fundings_drop(struct fundings *fundings, str run)
{
    const struct purse *purse = map_get(fundings->purses, run);
    if (!purse || !spend_is_none(purse->reserved) || purse->waiting.first) return;
    free(map_remove(fundings->purses, run));
}

void fundings_reserve(struct fundings *fundings, struct funding *funding, str run,
                      struct spend amount)
{
    ASSERT(spend_is_none(funding->own));
    if (spend_is_none(amount)) return;
    struct purse *purse = fundings_purse(fundings, run);
    purse->reserved     = spend_add(purse->reserved, amount);
    funding->own        = amount;
}

void fundings_add(struct fundings *fundings, struct funding *funding, str run, struct spend more)
{
    if (spend_is_none(more)) return;
    struct purse *purse = fundings_purse(fundings, run);
    purse->reserved     = spend_add(purse->reserved, more);
    funding->own        = spend_add(funding->own, more);
}

void fundings_release(struct fundings *fundings, struct funding *funding, str run)
{
    struct purse *purse = map_get(fundings->purses, run);
    if (!purse) return;
    ASSERT(funding->own.tokens <= purse->reserved.tokens);
    ASSERT(funding->own.nanos <= purse->reserved.nanos);
    purse->reserved.tokens -= funding->own.tokens;
    purse->reserved.nanos -= funding->own.nanos;
    funding->own = (struct spend){};
    while (purse->waiting.first) funding_list_add(&fundings->moved, purse->waiting.first);
    fundings_drop(fundings, run);
}

bool fundings_place(struct fundings *fundings, struct funding *funding, bool is_due,
                    bool is_stopped)
{
    if (!funding) return false;
    bool is_granted = funding->state == PB__FUNDING_STATE__FUNDING_STATE_GRANTED;
    bool is_needed  = funding->state == PB__FUNDING_STATE__FUNDING_STATE_NEEDED;
    bool is_moved   = is_granted ? is_stopped : is_needed && is_due && !is_stopped;
    if (is_moved) funding_list_add(&fundings->moved, funding);
    return is_due && !is_granted;
}
