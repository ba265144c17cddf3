/* The arguments of `assistant.list`. */
#include "workflow/catalog.h"

const char assistant_list_input_schema[] =
    "{ \"type\": \"object\", \"properties\": {"
    "  \"label\": { \"type\": \"string\", \"pattern\": \"^[^:]+:\" } } }";
