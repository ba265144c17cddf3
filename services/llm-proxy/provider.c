#include "llm-proxy/provider.h"

#include "base/attr.h"

static const struct provider_kind *const kinds[] = {&provider_compatible, &provider_simulated};

const struct provider_kind *provider_kind_of(str name)
{
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        if (str_is(name, kinds[i]->name)) return kinds[i];
    }
    return NULL;
}
