/* Any bytes as a feature file: scenarios within their limits, or an error with its line. */
#include "base/assert.h"
#include "language/gherkin.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_scenario(const struct gherkin_scenario *scenario)
{
    ASSERT(scenario->name && scenario->line >= 1);
    ASSERT(scenario->tag_count <= GHERKIN_TAGS_MAX && scenario->step_count <= GHERKIN_STEPS_MAX);
    for (size_t i = 0; i < scenario->tag_count; i++) {
        ASSERT(scenario->tags[i][0] == '@');
        ASSERT(gherkin_has_tag(scenario, scenario->tags[i]));
    }
    for (size_t i = 0; i < scenario->step_count; i++) {
        const struct gherkin_step *step = &scenario->steps[i];
        ASSERT(step->text && step->line >= 1 && step->kind <= GHERKIN_THEN);
        ASSERT(step->table.count <= GHERKIN_ROWS_MAX);
        for (size_t k = 0; k < step->table.count; k++) {
            const struct gherkin_row *row = &step->table.rows[k];
            ASSERT(row->count <= GHERKIN_CELLS_MAX && row->line >= 1);
            for (size_t c = 0; c < row->count; c++) ASSERT(row->cells[c]);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(arena_freep) struct arena *arena = arena_new(GHERKIN_ARENA_MAX);
    struct gherkin_feature feature           = {};
    struct error error                       = {};
    str text                                 = {.ptr = (const char *)data, .len = size};
    status code                              = gherkin_read(text, arena, &feature, &error);
    if (code != STATUS_OK) {
        ASSERT(code == STATUS_INVALID_ARGUMENT || code == STATUS_RESOURCE_EXHAUSTED);
        ASSERT(error.text[0] != '\0');
        return 0;
    }
    ASSERT(feature.name && feature.scenario_count <= GHERKIN_SCENARIOS_MAX);
    for (size_t i = 0; i < feature.scenario_count; i++) check_scenario(&feature.scenarios[i]);
    return 0;
}
