/* Outlines: a scenario per row of examples, with <name> replaced wherever it stands. */
#include "base/buf.h"
#include "language/gherkin_internal.h"

enum { TEXT_MAX = 1 << 20 };

struct gherkin_scenario *gherkin_add(struct gherkin_feature *feature)
{
    if (feature->scenario_count == GHERKIN_SCENARIOS_MAX) return NULL;
    return &feature->scenarios[feature->scenario_count++];
}

/* The row that a scenario is made of. */
struct example {
    const struct gherkin_row *names, *values;
    struct arena *arena;
};

static const char *value_of(const struct example *example, str name)
{
    for (size_t i = 0; i < example->names->count; i++) {
        if (str_is(name, example->names->cells[i])) return example->values->cells[i];
    }
    return NULL;
}

/* Text in angle brackets that is no name of the examples stays as it is: `a < b` is no place. */
static const char *fill_in(const struct example *example, const char *text)
{
    if (!text || !strchr(text, '<')) return text;
    CLEANUP(buf_done) struct buf out = buf_init(TEXT_MAX);
    while (*text) {
        const char *end   = *text == '<' ? strchr(text, '>') : NULL;
        const char *value = NULL;
        if (end) value = value_of(example, (str){text + 1, (size_t)(end - text - 1)});
        if (value) {
            (void)buf_put_text(&out, value);
            text = end + 1;
        } else {
            (void)buf_put_byte(&out, *text++);
        }
    }
    return arena_strdup(example->arena, buf_str(&out));
}

static bool fill_table(const struct example *example, const struct gherkin_table *from,
                       struct gherkin_table *to)
{
    *to = (struct gherkin_table){};
    if (from->count == 0) return true;
    to->rows = arena_alloc(example->arena, from->count * sizeof *to->rows);
    if (!to->rows) return false;
    to->count = from->count;
    for (size_t i = 0; i < from->count; i++) {
        to->rows[i] = from->rows[i];
        for (size_t k = 0; k < from->rows[i].count; k++) {
            to->rows[i].cells[k] = fill_in(example, from->rows[i].cells[k]);
        }
    }
    return true;
}

static bool fill_scenario(const struct example *example, const struct gherkin_scenario *outline,
                          struct gherkin_scenario *scenario)
{
    *scenario       = *outline;
    scenario->line  = example->values->line;
    scenario->steps = arena_alloc(example->arena, outline->step_count * sizeof *scenario->steps);
    if (!scenario->steps) return false;
    for (size_t i = 0; i < outline->step_count; i++) {
        struct gherkin_step *step = &scenario->steps[i];
        *step                     = outline->steps[i];
        step->text                = fill_in(example, step->text);
        step->doc                 = fill_in(example, step->doc);
        if (!step->text) return false;
        if (outline->steps[i].doc && !step->doc) return false;
        if (!fill_table(example, &outline->steps[i].table, &step->table)) return false;
    }
    const char *name = fill_in(example, outline->name);
    scenario->name   = arena_printf(example->arena, "%s [%s]", name, example->values->cells[0]);
    return name && scenario->name;
}

status gherkin_expand(const struct gherkin_scenario *outline, const struct gherkin_table *examples,
                      struct arena *arena, struct gherkin_feature *feature, struct error *reterr)
{
    for (size_t i = 1; i < examples->count; i++) {
        const struct example example = {&examples->rows[0], &examples->rows[i], arena};
        if (example.values->count != example.names->count) {
            return gherkin_fail(example.values->line, reterr, "%zu cells below %zu names",
                                example.values->count, example.names->count);
        }
        struct gherkin_scenario *scenario = gherkin_add(feature);
        if (!scenario || !fill_scenario(&example, outline, scenario)) {
            return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "line %u: too many scenarios",
                        example.values->line);
        }
    }
    return STATUS_OK;
}
