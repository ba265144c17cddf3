/*
 * Line by line: what a line is, depends on its first word and on the block that is open. Doc
 * strings are taken whole, since nothing in them is Gherkin.
 */
#include "language/gherkin_internal.h"

#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>

enum block { BLOCK_NONE, BLOCK_FEATURE, BLOCK_BACKGROUND, BLOCK_SCENARIO, BLOCK_EXAMPLES };

struct reader {
    const char *next; /* the line after the one at hand */
    const char *end;
    uint32_t line; /* number of the one at hand */
    struct arena *arena;
    struct gherkin_feature *feature;
    enum block block;
    struct gherkin_scenario background;
    struct gherkin_draft draft;
    struct gherkin_table examples;
    const char *tags[GHERKIN_TAGS_MAX]; /* waiting for what they belong to */
    size_t tag_count;
    const char *feature_tags[GHERKIN_TAGS_MAX];
    size_t feature_tag_count;
    enum gherkin_kind kind; /* of the last step */
    bool has_kind;
};

status gherkin_fail(uint32_t line, struct error *reterr, const char *format, ...)
{
    char text[ERROR_TEXT_MAX];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return fail(reterr, STATUS_INVALID_ARGUMENT, "line %u: %s", line, text);
}

static status full(const struct reader *reader, struct error *reterr, const char *what)
{
    return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "line %u: too many %s", reader->line, what);
}

/* --- lines -------------------------------------------------------------------------------------
 */

static bool is_blank(char byte)
{
    return byte == ' ' || byte == '\t' || byte == '\r';
}

static str trim(str text)
{
    while (text.len > 0 && is_blank(text.ptr[0])) text = str_slice(text, 1, text.len);
    while (text.len > 0 && is_blank(text.ptr[text.len - 1])) text.len--;
    return text;
}

/* The next line without its end; false after the last. */
static bool read_line(struct reader *reader, str *ret_line)
{
    if (reader->next >= reader->end) return false;
    const char *start = reader->next;
    const char *stop  = memchr(start, '\n', (size_t)(reader->end - start));
    reader->next      = stop ? stop + 1 : reader->end;
    if (!stop) stop = reader->end;
    reader->line++;
    *ret_line = (str){start, (size_t)(stop - start)};
    return true;
}

/* Takes `keyword` off the line if that is how it begins. */
static bool takes(str line, const char *keyword, str *ret_rest)
{
    str word = str_from(keyword);
    if (!str_starts_with(line, word)) return false;
    *ret_rest = trim(str_slice(line, word.len, line.len));
    return true;
}

static const char *keep(struct reader *reader, str text)
{
    const char *copy = arena_strdup(reader->arena, text);
    return copy ? copy : "";
}

/* --- tags, tables, doc strings -----------------------------------------------------------------
 */

static status read_tags(struct reader *reader, str line, struct error *reterr)
{
    while (line.len > 0 && line.ptr[0] != '#') {
        size_t len = 0;
        while (len < line.len && !is_blank(line.ptr[len])) len++;
        if (line.ptr[0] != '@' || len == 1) {
            return gherkin_fail(reader->line, reterr, "a tag is @ and a name");
        }
        if (reader->tag_count == GHERKIN_TAGS_MAX) return full(reader, reterr, "tags");
        reader->tags[reader->tag_count++] = keep(reader, str_slice(line, 0, len));
        line                              = trim(str_slice(line, len, line.len));
    }
    return STATUS_OK;
}

/* `\|` is a bar, `\n` a line break, `\\` a backslash. */
static void put_escaped(struct buf *cell, char byte)
{
    if (byte == 'n') {
        (void)buf_put_byte(cell, '\n');
        return;
    }
    if (byte != '|' && byte != '\\') (void)buf_put_byte(cell, '\\');
    (void)buf_put_byte(cell, byte);
}

static status read_row(struct reader *reader, str line, struct gherkin_table *table,
                       struct error *reterr)
{
    if (table->count == GHERKIN_ROWS_MAX) return full(reader, reterr, "rows");
    if (!table->rows) {
        table->rows = arena_alloc(reader->arena, GHERKIN_ROWS_MAX * sizeof *table->rows);
        if (!table->rows) return full(reader, reterr, "tables");
    }
    if (line.len < 2 || line.ptr[line.len - 1] != '|') {
        return gherkin_fail(reader->line, reterr, "a row ends with |");
    }
    struct gherkin_row *row           = &table->rows[table->count++];
    *row                              = (struct gherkin_row){.line = reader->line};
    CLEANUP(buf_done) struct buf cell = buf_init(GHERKIN_SIZE_MAX);
    for (size_t i = 1; i < line.len; i++) {
        if (line.ptr[i] == '\\' && i + 1 < line.len) {
            put_escaped(&cell, line.ptr[++i]);
        } else if (line.ptr[i] != '|') {
            (void)buf_put_byte(&cell, line.ptr[i]);
        } else {
            if (row->count == GHERKIN_CELLS_MAX) return full(reader, reterr, "cells");
            row->cells[row->count++] = keep(reader, trim(buf_str(&cell)));
            buf_clear(&cell);
        }
    }
    return STATUS_OK;
}

/* Takes off the indentation that the delimiter has, as far as the line has it. */
static str unindented(str line, size_t indent)
{
    size_t take = 0;
    while (take < indent && take < line.len && is_blank(line.ptr[take])) take++;
    if (line.len > 0 && line.ptr[line.len - 1] == '\r') line.len--;
    return str_slice(line, take, line.len);
}

static status read_doc(struct reader *reader, str opening, size_t indent, struct error *reterr)
{
    struct gherkin_scenario *scenario =
        reader->block == BLOCK_BACKGROUND ? &reader->background : &reader->draft.scenario;
    if (scenario->step_count == 0) {
        return gherkin_fail(reader->line, reterr, "a doc string belongs to a step");
    }
    struct gherkin_step *step = &scenario->steps[scenario->step_count - 1];
    if (step->doc) return gherkin_fail(reader->line, reterr, "a step has one doc string");
    str mark                         = str_slice(opening, 0, 3);
    uint32_t begin                   = reader->line;
    CLEANUP(buf_done) struct buf doc = buf_init(GHERKIN_SIZE_MAX);
    for (str line = {}; read_line(reader, &line);) {
        if (str_equal(trim(line), mark)) {
            step->doc = keep(reader, buf_str(&doc));
            return STATUS_OK;
        }
        (void)buf_put_str(&doc, unindented(line, indent));
        (void)buf_put_byte(&doc, '\n');
    }
    return gherkin_fail(begin, reterr, "the doc string does not end");
}

/* --- blocks ------------------------------------------------------------------------------------
 */

static status end_examples(struct reader *reader, struct error *reterr)
{
    if (reader->block != BLOCK_EXAMPLES) return STATUS_OK;
    if (reader->examples.count < 2) {
        return gherkin_fail(reader->line, reterr, "the examples end without a row");
    }
    struct gherkin_draft *draft = &reader->draft;
    draft->expanded += reader->examples.count - 1;
    return gherkin_expand(&draft->scenario, &reader->examples, reader->arena, reader->feature,
                          reterr);
}

/* The scenario that was read is complete. */
static status end_scenario(struct reader *reader, struct error *reterr)
{
    TRY(end_examples(reader, reterr));
    bool is_open = reader->block == BLOCK_SCENARIO || reader->block == BLOCK_EXAMPLES;
    if (!is_open) return STATUS_OK;
    const struct gherkin_draft *draft = &reader->draft;
    if (draft->scenario.step_count == reader->background.step_count) {
        return gherkin_fail(draft->scenario.line, reterr, "a scenario without steps");
    }
    if (draft->is_outline) {
        if (draft->expanded > 0) return STATUS_OK;
        return gherkin_fail(draft->scenario.line, reterr, "an outline without examples");
    }
    struct gherkin_scenario *scenario = gherkin_add(reader->feature);
    if (!scenario) return full(reader, reterr, "scenarios");
    *scenario = draft->scenario;
    return STATUS_OK;
}

static status new_steps(struct reader *reader, struct gherkin_scenario *scenario,
                        struct error *reterr)
{
    scenario->steps  = arena_alloc(reader->arena, GHERKIN_STEPS_MAX * sizeof *scenario->steps);
    reader->has_kind = false;
    return scenario->steps ? STATUS_OK : full(reader, reterr, "steps");
}

static status begin_scenario(struct reader *reader, str name, bool is_outline, struct error *reterr)
{
    if (reader->block == BLOCK_NONE) {
        return gherkin_fail(reader->line, reterr, "a scenario before `Feature:`");
    }
    TRY(end_scenario(reader, reterr));
    reader->draft                     = (struct gherkin_draft){.is_outline = is_outline};
    struct gherkin_scenario *scenario = &reader->draft.scenario;
    scenario->name                    = keep(reader, name);
    scenario->line                    = reader->line;
    TRY(new_steps(reader, scenario, reterr));
    for (size_t i = 0; i < reader->background.step_count; i++) {
        scenario->steps[scenario->step_count++] = reader->background.steps[i];
    }
    if (reader->feature_tag_count + reader->tag_count > GHERKIN_TAGS_MAX) {
        return full(reader, reterr, "tags");
    }
    for (size_t i = 0; i < reader->feature_tag_count; i++) {
        scenario->tags[scenario->tag_count++] = reader->feature_tags[i];
    }
    for (size_t i = 0; i < reader->tag_count; i++) {
        scenario->tags[scenario->tag_count++] = reader->tags[i];
    }
    reader->tag_count = 0;
    reader->block     = BLOCK_SCENARIO;
    return STATUS_OK;
}

static status begin_background(struct reader *reader, struct error *reterr)
{
    if (reader->block != BLOCK_FEATURE) {
        return gherkin_fail(reader->line, reterr, "`Background:` comes once, after `Feature:`");
    }
    TRY(new_steps(reader, &reader->background, reterr));
    reader->block = BLOCK_BACKGROUND;
    return STATUS_OK;
}

static status begin_examples(struct reader *reader, struct error *reterr)
{
    bool is_open = reader->block == BLOCK_SCENARIO || reader->block == BLOCK_EXAMPLES;
    if (!is_open || !reader->draft.is_outline) {
        return gherkin_fail(reader->line, reterr, "examples belong to a scenario outline");
    }
    TRY(end_examples(reader, reterr));
    reader->examples  = (struct gherkin_table){};
    reader->tag_count = 0;
    reader->block     = BLOCK_EXAMPLES;
    return STATUS_OK;
}

static status begin_feature(struct reader *reader, str name, struct error *reterr)
{
    if (reader->block != BLOCK_NONE) {
        return gherkin_fail(reader->line, reterr, "a second `Feature:`");
    }
    reader->feature->name = keep(reader, name);
    memcpy(reader->feature_tags, reader->tags, sizeof reader->tags);
    reader->feature_tag_count = reader->tag_count;
    reader->tag_count         = 0;
    reader->block             = BLOCK_FEATURE;
    return STATUS_OK;
}

/* --- steps -------------------------------------------------------------------------------------
 */

static bool read_keyword(struct reader *reader, str line, str *ret_text)
{
    static const struct {
        const char *keyword;
        int kind; /* -1: as the one before */
    } keywords[] = {{"Given ", GHERKIN_GIVEN},
                    {"When ", GHERKIN_WHEN},
                    {"Then ", GHERKIN_THEN},
                    {"And ", -1},
                    {"But ", -1},
                    {"* ", -1}};
    for (size_t i = 0; i < ARRAY_LEN(keywords); i++) {
        if (!takes(line, keywords[i].keyword, ret_text)) continue;
        if (keywords[i].kind >= 0) reader->kind = (enum gherkin_kind)keywords[i].kind;
        return keywords[i].kind >= 0 || reader->has_kind;
    }
    return false;
}

static status read_step(struct reader *reader, str line, struct error *reterr)
{
    struct gherkin_scenario *scenario =
        reader->block == BLOCK_BACKGROUND ? &reader->background : &reader->draft.scenario;
    str text = {};
    if (!read_keyword(reader, line, &text)) {
        bool has_steps = scenario->step_count > reader->background.step_count;
        if (!has_steps && reader->block == BLOCK_SCENARIO) return STATUS_OK; /* a description */
        return gherkin_fail(reader->line, reterr, "expected Given, When, Then, And or But");
    }
    if (scenario->step_count == GHERKIN_STEPS_MAX) return full(reader, reterr, "steps");
    scenario->steps[scenario->step_count++] = (struct gherkin_step){
        .kind = reader->kind, .text = keep(reader, text), .line = reader->line};
    reader->has_kind = true;
    return STATUS_OK;
}

static status read_table_row(struct reader *reader, str line, struct error *reterr)
{
    if (reader->block == BLOCK_EXAMPLES) return read_row(reader, line, &reader->examples, reterr);
    struct gherkin_scenario *scenario =
        reader->block == BLOCK_BACKGROUND ? &reader->background : &reader->draft.scenario;
    if (scenario->step_count == 0) {
        return gherkin_fail(reader->line, reterr, "a table belongs to a step or to examples");
    }
    return read_row(reader, line, &scenario->steps[scenario->step_count - 1].table, reterr);
}

static status read_other(struct reader *reader, str line, struct error *reterr)
{
    if (line.ptr[0] == '|') return read_table_row(reader, line, reterr);
    switch (reader->block) {
    case BLOCK_NONE: return gherkin_fail(reader->line, reterr, "expected `Feature:`");
    case BLOCK_FEATURE: return STATUS_OK; /* a description */
    case BLOCK_EXAMPLES: return gherkin_fail(reader->line, reterr, "expected a row of examples");
    case BLOCK_BACKGROUND:
    case BLOCK_SCENARIO: break;
    }
    return read_step(reader, line, reterr);
}

static status read_any(struct reader *reader, str line, size_t indent, struct error *reterr)
{
    str rest = {};
    if (takes(line, "# language:", &rest) && !str_is(rest, "en")) {
        return gherkin_fail(reader->line, reterr, "only English keywords are read");
    }
    if (line.len == 0 || line.ptr[0] == '#') return STATUS_OK;
    if (line.ptr[0] == '@') return read_tags(reader, line, reterr);
    if (str_starts_with(line, str_from("\"\"\"")) || str_starts_with(line, str_from("```"))) {
        return read_doc(reader, line, indent, reterr);
    }
    if (takes(line, "Feature:", &rest)) return begin_feature(reader, rest, reterr);
    if (takes(line, "Background:", &rest)) return begin_background(reader, reterr);
    if (takes(line, "Scenario:", &rest)) return begin_scenario(reader, rest, false, reterr);
    if (takes(line, "Example:", &rest)) return begin_scenario(reader, rest, false, reterr);
    if (takes(line, "Scenario Outline:", &rest)) return begin_scenario(reader, rest, true, reterr);
    if (takes(line, "Scenario Template:", &rest)) return begin_scenario(reader, rest, true, reterr);
    if (takes(line, "Examples:", &rest)) return begin_examples(reader, reterr);
    if (takes(line, "Scenarios:", &rest)) return begin_examples(reader, reterr);
    if (takes(line, "Rule:", &rest)) {
        return gherkin_fail(reader->line, reterr, "`Rule:` is not read; use tags");
    }
    return read_other(reader, line, reterr);
}

status gherkin_read(str text, struct arena *arena, struct gherkin_feature *ret_feature,
                    struct error *reterr)
{
    if (text.len > GHERKIN_SIZE_MAX) {
        return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "more than %d bytes", GHERKIN_SIZE_MAX);
    }
    struct gherkin_feature feature = {
        .scenarios = arena_alloc(arena, GHERKIN_SCENARIOS_MAX * sizeof *feature.scenarios)};
    if (!feature.scenarios) return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "the arena is full");
    struct reader reader = {
        .next = text.ptr, .end = text.ptr + text.len, .arena = arena, .feature = &feature};
    if (str_starts_with(text, str_from("\xEF\xBB\xBF"))) reader.next += 3;
    for (str line = {}; read_line(&reader, &line);) {
        str trimmed = trim(line);
        size_t skip = trimmed.len > 0 ? (size_t)(trimmed.ptr - line.ptr) : 0;
        TRY(read_any(&reader, trimmed, skip, reterr));
    }
    TRY(end_scenario(&reader, reterr));
    if (reader.block == BLOCK_NONE) return gherkin_fail(1, reterr, "there is no `Feature:`");
    *ret_feature = feature;
    return STATUS_OK;
}

bool gherkin_has_tag(const struct gherkin_scenario *scenario, const char *tag)
{
    for (size_t i = 0; i < scenario->tag_count; i++) {
        if (strcmp(scenario->tags[i], tag) == 0) return true;
    }
    return false;
}
