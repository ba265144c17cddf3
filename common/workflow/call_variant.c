/* The arguments of `tutti.variant`: what is chosen from (E17). */
#include "workflow/catalog.h"
#include "workflow/task_read.h"

const char variant_input_schema[] =
    "{ \"type\": \"object\", \"required\": [\"experiment\", \"weights\"], \"properties\": {"
    "  \"experiment\": { \"type\": \"string\", \"maxLength\": 55,"
    "                    \"pattern\": \"^[a-z0-9]([a-z0-9-]*[a-z0-9])?$\" },"
    "  \"weights\": { \"type\": \"object\", \"minProperties\": 1,"
    "                 \"additionalProperties\": { \"type\": \"integer\", \"minimum\": 0 } },"
    "  \"key\": {} }, \"additionalProperties\": false }";

/* Weights that are all written down must leave something to choose. */
static void check_sum(struct reader *reader, json weights)
{
    if (!json_is(weights, JSON_OBJECT) || holds_expression(weights)) return;
    for (size_t i = 0; i < json_count(weights); i++) {
        json weight = json_value_at(weights, i);
        if (!json_is_number(weight) || json_number(weight) != 0) return;
    }
    size_t back = pointer_enter(reader, str_from("weights"));
    refuse(reader, "V14", value_place(reader), "`tutti.variant`: one of the `weights` is above 0");
    pointer_leave(reader, back);
}

void variant_with_read(struct reader *reader, json value, void *target)
{
    arguments_check(reader, reader->draft->function->arguments, value);
    check_sum(reader, json_get_text(value, "weights"));
    template_read(reader, value, target);
}
