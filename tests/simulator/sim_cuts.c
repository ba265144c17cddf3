/* Calls that are cut short, or given up without anybody knowing: what workers have done, and what
 * they have undone. */
#include "base/assert.h"
#include "sim.h"

#include <string.h>

/* One call, by its key. */
struct cut {
    char run[ID_LEN + 1];
    bool is_done, is_part, is_undone;
    struct cut *next;
};

static const char undo_mark[] = "/undo/";

static struct cut *cut_at(struct sim *sim, str key)
{
    struct cut *cut = map_get(sim->cuts, key);
    if (cut) return cut;
    cut = arena_alloc(sim->arena, sizeof *cut);
    ASSERT(cut && key.len > ID_LEN);
    *cut = (struct cut){.next = sim->cut_list};
    memcpy(cut->run, key.ptr, ID_LEN);
    sim->cut_list = cut;
    bool is_put   = map_put(sim->cuts, key, cut);
    ASSERT(is_put);
    return cut;
}

void sim_cuts_done(struct sim *sim, const struct task_in_hand *task)
{
    enum site_kind kind = sim->programs.sites[task->site].kind;
    if (kind != SITE_CUT && kind != SITE_UNCUT) return;
    if (kind == SITE_CUT) {
        cut_at(sim, str_from(task->key))->is_done = true;
        return;
    }
    const char *end = strstr(task->key, undo_mark);
    ASSERT(end);
    cut_at(sim, (str){task->key, (size_t)(end - task->key)})->is_undone = true;
}

/* Before anything else happens: an attempt does not go on behind the back of a look-up. */
void sim_cuts_choose(struct sim *sim, struct task_in_hand *task, bool settles)
{
    struct cut *cut = cut_at(sim, str_from(task->key));
    task->ending    = ENDS_TRANSIENT;
    if (settles) {
        bool is_found = sim_draw(sim, 4) > 0;
        if (is_found) task->ending = cut->is_part ? ENDS_PART : ENDS_UNDONE;
        if (is_found && cut->is_done) task->ending = ENDS_COMPLETED;
        if (sim_draw(sim, 8) == 0) task->ending = ENDS_PERMANENT; /* nobody will know */
        return;
    }
    cut->is_part = cut->is_part || sim_draw(sim, 3) == 0; /* a later attempt goes on behind it */
    if (sim_draw(sim, 3) > 0) {
        task->ending = ENDS_UNSURE;
        cut->is_done = cut->is_done || sim_draw(sim, 2) == 0;
    }
}

void sim_cuts_put(struct sim *sim, struct stage_call *call, const struct task_in_hand *task,
                  Pb__JobFailed *failed)
{
    const struct site *site = &sim->programs.sites[task->site];
    if (site->kind != SITE_UNSURE || task->settles != (task->ending == ENDS_PART)) return;
    const struct cut *cut = cut_at(sim, str_from(task->key));
    if (!cut->is_part) return;
    int64_t n  = site_step(task->site, task->n); /* as its own compensation has it */
    char *text = arena_printf(call->arena,
                              "[{\"function\":\"" SIM_UNWRITE "\",\"with\":{\"k\":%u,\"n\":%lld}}]",
                              site->undo, (long long)n);
    ASSERT(text);
    failed->undo_json     = (ProtobufCBinaryData){.data = (uint8_t *)text, .len = strlen(text)};
    failed->undo_is_whole = task->ending != ENDS_UNSURE && !cut->is_done;
}

size_t sim_cuts_left(const struct sim *sim, const char *run)
{
    size_t count = 0;
    for (const struct cut *cut = sim->cut_list; cut; cut = cut->next) {
        count += (cut->is_done || cut->is_part) && !cut->is_undone && strcmp(cut->run, run) == 0;
    }
    return count;
}
