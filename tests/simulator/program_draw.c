/* Draws programs. */
#include "program_agent.h"

#include "base/assert.h"

#include <stdio.h>

/* Where a node is drawn. */
struct place {
    unsigned depth;
    bool must_complete; /* no error may leave it */
    bool is_repeated;   /* it may happen more than once in a run */
    bool is_parallel;   /* others happen at the same time */
    bool is_saga;       /* its calls can be undone */
};

struct drawing {
    struct programs *programs;
    struct prng *random;
    const struct program_wishes *wishes;
    size_t index; /* of the program */
    unsigned nodes;
};

static uint64_t draw(struct drawing *drawing, uint64_t below)
{
    return prng_next(drawing->random) % below;
}

static struct node *node_new(struct drawing *drawing, enum node_kind kind)
{
    struct node *node = arena_alloc(drawing->programs->arena, sizeof *node);
    ASSERT(node);
    *node = (struct node){.kind = kind, .id = ++drawing->programs->task_count};
    drawing->nodes++;
    return node;
}

static uint32_t site_new(struct drawing *drawing, enum site_kind kind)
{
    struct programs *programs = drawing->programs;
    ASSERT(programs->site_count + 1 < SITES_MAX);
    programs->sites[++programs->site_count] = (struct site){
        .kind     = kind,
        .program  = (uint32_t)drawing->index,
        .is_flaky = draw(drawing, 2) == 0,
        .value    = (int64_t)draw(drawing, 1000),
    };
    return programs->site_count;
}

/* --- drawing ------------------------------------------------------------------------------------
 */

static struct node *draw_sequence(struct drawing *drawing, struct place place, size_t length);

static struct node *draw_set(struct drawing *drawing)
{
    struct node *node = node_new(drawing, NODE_SET);
    node->a           = 1 + (int64_t)draw(drawing, 99);
    node->b           = (int64_t)draw(drawing, 1000);
    return node;
}

static struct node *draw_call(struct drawing *drawing, enum site_kind kind, bool is_undone)
{
    struct node *node = node_new(drawing, NODE_CALL);
    node->site        = site_new(drawing, kind);
    if (is_undone) {
        bool fails = draw(drawing, 6) == 0;
        node->undo = site_new(drawing, fails ? SITE_NOT_UNDONE : SITE_UNDO);
    } else if (kind == SITE_OK && draw(drawing, 4) == 0) {
        drawing->programs->sites[node->site].is_cached = true;
    }
    return node;
}

/* A call, and beside it an error that comes after a while. */
static struct node *draw_cut(struct drawing *drawing)
{
    struct node *node = node_new(drawing, NODE_CUT);
    node->site        = site_new(drawing, SITE_CUT);
    node->undo        = site_new(drawing, SITE_UNCUT);
    node->a           = (int64_t)draw(drawing, 700); /* ms: about as long as a call takes */
    return node;
}

/* A saga that ends with a change of which nobody knows; something else is always undone. */
static struct node *draw_unsure(struct drawing *drawing)
{
    struct node *saga   = node_new(drawing, NODE_SAGA);
    saga->children[0]   = draw_call(drawing, SITE_OK, true);
    struct node *unsure = draw_call(drawing, SITE_UNSURE, false);
    unsure->undo        = site_new(drawing, SITE_UNCUT);

    drawing->programs->sites[unsure->site].undo = unsure->undo;
    saga->children[1]                           = unsure;
    saga->child_count                           = 2;
    return saga;
}

static struct node *draw_error(struct drawing *drawing)
{
    if (draw(drawing, 2) == 0) return draw_call(drawing, SITE_PERMANENT, false);
    return node_new(drawing, NODE_RAISE);
}

/* A node around sequences of its own. */
static struct node *draw_around(struct drawing *drawing, enum node_kind kind, struct place place,
                                size_t count)
{
    struct node *node = node_new(drawing, kind);
    place.depth++;
    node->child_count = count;
    for (size_t i = 0; i < count; i++) {
        node->children[i] = draw_sequence(drawing, place, 1 + draw(drawing, 3));
    }
    return node;
}

static struct node *draw_loop(struct drawing *drawing, struct place place, bool is_parallel)
{
    place.is_repeated = true;
    if (is_parallel) place.is_parallel = place.must_complete = true;
    struct node *node = draw_around(drawing, is_parallel ? NODE_PARALLEL : NODE_LOOP, place, 1);
    node->a           = 1 + (int64_t)draw(drawing, 4);
    node->b           = 1 + (int64_t)draw(drawing, 3);
    return node;
}

static struct node *draw_try(struct drawing *drawing, struct place place)
{
    uint64_t choice = draw(drawing, 5);
    if (choice < 3) { /* attempts that are spent: the error may be one of two */
        struct node *node = node_new(drawing, NODE_TRY);
        node->child_count = 1;
        node->children[0] = choice == 0   ? draw_cut(drawing)
                            : choice == 1 ? draw_unsure(drawing)
                                          : draw_call(drawing, SITE_EXHAUST, false);
        node->b           = (int64_t)draw(drawing, 1000);
        return node;
    }
    place.must_complete = place.is_parallel;
    place.is_saga       = false;
    struct node *node   = draw_around(drawing, NODE_TRY, place, 1);
    node->b             = (int64_t)draw(drawing, 1000);
    return node;
}

/* Steps that can be undone, and at times an error behind them. */
static struct node *draw_saga(struct drawing *drawing, struct place place)
{
    struct node *node = node_new(drawing, NODE_SAGA);
    bool fails        = !place.must_complete && draw(drawing, 3) > 0;
    size_t length     = 1 + draw(drawing, 3);
    for (size_t i = 0; i < length; i++) {
        bool is_nested  = place.depth + 1 < DEPTH_MAX && draw(drawing, 6) == 0;
        struct place in = place;
        in.depth++;
        in.must_complete = true;
        struct node *step =
            is_nested ? draw_saga(drawing, in) : draw_call(drawing, SITE_OK, draw(drawing, 4) > 0);
        node->children[node->child_count++] = step;
    }
    if (!fails) return node;
    bool is_cut                         = draw(drawing, 3) == 0;
    node->children[node->child_count++] = is_cut ? draw_cut(drawing) : draw_error(drawing);
    return node;
}

/* A body that fails every time: what completed in it is not called again, unless it was undone. */
static struct node *draw_again(struct drawing *drawing, struct place place)
{
    struct node *node = node_new(drawing, NODE_AGAIN);
    node->a           = 1 + (int64_t)draw(drawing, 3);
    node->b           = (int64_t)draw(drawing, 1000);
    if (!place.is_parallel && draw(drawing, 2) == 0) {
        struct place in   = place;
        in.must_complete  = true;
        in.depth          = DEPTH_MAX - 1;
        struct node *saga = draw_saga(drawing, in);
        if (saga->child_count == CHILDREN_MAX) saga->child_count--;
        saga->children[saga->child_count++] = draw_error(drawing);
        node->children[node->child_count++] = saga;
        return node;
    }
    node->children[node->child_count++] = draw_call(drawing, SITE_OK, false);
    node->children[node->child_count++] = draw_error(drawing);
    return node;
}

/* Long ones only where they happen once: a loop in a loop would take hours. */
static struct node *draw_wait(struct drawing *drawing, struct place place)
{
    struct node *node = node_new(drawing, NODE_WAIT);
    bool is_long      = draw(drawing, 4) == 0 && !place.is_repeated;
    node->a           = 1 + (int64_t)draw(drawing, is_long ? 60 : 4);
    return node;
}

static struct node *draw_listen(struct drawing *drawing, bool is_person)
{
    struct node *node = node_new(drawing, is_person ? NODE_ASK : NODE_LISTEN);
    node->site        = site_new(drawing, is_person ? SITE_APPROVAL : SITE_SIGNAL);
    return node;
}

static struct node *draw_child(struct drawing *drawing, struct place place)
{
    struct programs *programs = drawing->programs;
    size_t later              = programs->count - drawing->index - 1;
    if (later == 0 || programs->items[drawing->index].calls >= 2 || place.is_repeated) {
        return draw_set(drawing);
    }
    size_t index      = drawing->index + 1 + draw(drawing, later);
    struct node *node = node_new(drawing, NODE_CHILD);
    node->a           = (int64_t)index;
    node->b           = (int64_t)draw(drawing, 1000);
    programs->items[drawing->index].calls++;
    return node;
}

static struct node *draw_model(struct drawing *drawing)
{
    struct node *node = node_new(drawing, NODE_MODEL);
    node->site        = site_new(drawing, SITE_MODEL);
    node->b           = (int64_t)draw(drawing, 1000);
    if (draw(drawing, 4) == 0) return node;
    drawing->programs->sites[node->site].tokens_max = 10 + (uint32_t)draw(drawing, 100);
    return node;
}

/* What a child run uses counts as the agent's, so such an agent has no budget. */
static void draw_tool_run(struct drawing *drawing, struct agent_plan *plan)
{
    enum { TURNS = 2, CALLS = 2 }; /* most: each call is a run */
    struct program *program = &drawing->programs->items[drawing->index];
    size_t later            = drawing->programs->count - drawing->index - 1;
    program->calls++;
    if (plan->turns > TURNS) plan->turns = TURNS;
    if (plan->calls > CALLS) plan->calls = CALLS;
    plan->paid_for                     = 0;
    plan->children[plan->tool_count++] = (uint32_t)(drawing->index + 1 + draw(drawing, later));
}

/* As draw_child(). */
static bool may_call_run(struct drawing *drawing, struct place place)
{
    size_t later = drawing->programs->count - drawing->index - 1;
    return later > 0 && drawing->programs->items[drawing->index].calls < 2 && !place.is_repeated;
}

static void draw_tool(struct drawing *drawing, struct place place, struct agent_plan *plan)
{
    struct programs *programs = drawing->programs;
    if (may_call_run(drawing, place) && draw(drawing, 3) == 0) {
        draw_tool_run(drawing, plan);
        return;
    }
    bool fails    = draw(drawing, 4) == 0;
    uint32_t tool = site_new(drawing, fails ? SITE_PERMANENT : SITE_OK);
    bool is_asked = draw(drawing, 3) == 0;

    programs->sites[tool].is_tool     = true;
    plan->approvals[plan->tool_count] = is_asked ? site_new(drawing, SITE_APPROVAL) : 0;
    plan->tools[plan->tool_count++]   = tool;
}

static struct node *draw_agent(struct drawing *drawing, struct place place)
{
    struct programs *programs = drawing->programs;
    struct agent_plan *plan   = arena_alloc(programs->arena, sizeof *plan);
    ASSERT(plan);
    *plan = (struct agent_plan){
        .turns = (uint32_t)draw(drawing, 4),
        .calls = 1 + (uint32_t)draw(drawing, AGENT_CALLS_MAX_SIM),
    };
    if (draw(drawing, 6) == 0) plan->turns_max = 1 + (uint32_t)draw(drawing, 4);
    if (draw(drawing, 4) == 0) plan->paid_for = 1 + (uint32_t)draw(drawing, 4);
    plan->pays_tokens = plan->paid_for > 0 && drawing->wishes->has_tokens && draw(drawing, 2) == 0;
    size_t tools      = 1 + draw(drawing, AGENT_TOOLS_MAX_SIM);
    for (size_t i = 0; i < tools; i++) draw_tool(drawing, place, plan);

    struct node *node = node_new(drawing, NODE_AGENT);
    node->site        = site_new(drawing, SITE_TURN);
    node->b           = (int64_t)draw(drawing, 1000);
    drawing->nodes += 2 * (unsigned)tools;
    programs->sites[node->site].agent          = plan;
    programs->items[drawing->index].has_agents = true;
    return node;
}

/* The last but for little: the run faults on it, and goes on there. */
static void draw_late(struct drawing *drawing, struct node *root)
{
    struct node *node = draw_call(drawing, SITE_LATE, false);
    drawing->programs->sites[node->site].rounds =
        1 + (uint32_t)draw(drawing, drawing->wishes->rounds_max);
    root->children[root->child_count++] = node;
    if (draw(drawing, 2) == 0) {
        root->children[root->child_count++] = draw_wait(drawing, (struct place){});
    }
    if (draw(drawing, 2) == 0) {
        root->children[root->child_count++] = draw_call(drawing, SITE_OK, false);
    }
}

/* Without anything inside. */
static struct node *draw_leaf(struct drawing *drawing, struct place place)
{
    switch (draw(drawing, 14)) {
    case 0:
    case 1: return draw_set(drawing);
    case 2:
    case 3: return draw_wait(drawing, place);
    case 4:
        if (!place.is_repeated) return draw_listen(drawing, false);
        return draw_set(drawing);
    case 5: return draw_listen(drawing, true);
    case 6:
        if (!place.is_parallel) return node_new(drawing, NODE_EMIT);
        return draw_wait(drawing, place);
    case 7: return draw_child(drawing, place);
    case 8: {
        struct node *node = node_new(drawing, NODE_TIMEOUT);
        node->a           = 1 + (int64_t)draw(drawing, 20);
        node->b           = (int64_t)draw(drawing, 1000);
        return node;
    }
    case 9:
        if (drawing->wishes->has_agents && draw(drawing, 3) == 0) return draw_agent(drawing, place);
        return draw_model(drawing);
    case 10:
        if (!place.must_complete && draw(drawing, 2) == 0) return draw_error(drawing);
        return draw_call(drawing, SITE_OK, false);
    case 11:
        if (drawing->wishes->has_agents) return draw_agent(drawing, place);
        return draw_call(drawing, SITE_OK, false);
    default: return draw_call(drawing, SITE_OK, false);
    }
}

static struct node *draw_node(struct drawing *drawing, struct place place)
{
    bool is_leaf = place.depth >= DEPTH_MAX || drawing->nodes >= NODES_MAX || draw(drawing, 5) < 3;
    if (is_leaf) return draw_leaf(drawing, place);
    struct place inside = place;
    switch (draw(drawing, 9)) {
    case 0: return draw_around(drawing, NODE_SWITCH, place, 2);
    case 1: return draw_around(drawing, NODE_IF, place, 1);
    case 2: return draw_loop(drawing, place, false);
    case 3: return draw_loop(drawing, place, true);
    case 4:
        inside.is_parallel = inside.must_complete = true;
        return draw_around(drawing, NODE_FORK, inside, 2 + draw(drawing, 2));
    case 5:
        inside.is_parallel = inside.must_complete = true;
        return draw_around(drawing, NODE_RACE, inside, 1);
    case 6: return draw_try(drawing, place);
    case 7: return draw_again(drawing, place);
    default:
        return place.is_parallel ? draw_around(drawing, NODE_SEQUENCE, place, 1)
                                 : draw_saga(drawing, place);
    }
}

static struct node *draw_sequence(struct drawing *drawing, struct place place, size_t length)
{
    struct node *node = node_new(drawing, NODE_SEQUENCE);
    for (size_t i = 0; i < length && i < CHILDREN_MAX; i++) {
        node->children[node->child_count++] = draw_node(drawing, place);
    }
    return node;
}

void programs_draw(struct programs *programs, struct arena *arena, struct prng *random,
                   size_t count, const struct program_wishes *wishes)
{
    ASSERT(count > 0 && count <= PROGRAMS_MAX);
    *programs = (struct programs){.arena       = arena,
                                  .count       = count,
                                  .turn_nanos  = wishes->turn_nanos,
                                  .turn_tokens = wishes->turn_tokens};
    for (size_t i = count; i > 0; i--) {
        struct program *program = &programs->items[i - 1];
        struct drawing drawing  = {
             .programs = programs, .random = random, .wishes = wishes, .index = i - 1};
        program->may_fault     = draw(&drawing, 3) == 0;
        const struct place top = {.must_complete = !program->may_fault};
        (void)snprintf(program->name, sizeof program->name, "p%zu", i - 1);
        bool is_late  = wishes->has_late && i == 1; /* nobody's child */
        program->root = draw_sequence(&drawing, top, 2 + draw(&drawing, is_late ? 1 : 4));
        if (is_late) draw_late(&drawing, program->root);
    }
}
