/*
 * Products of a vector of codes with many, by the kernel that scans rows for a single query.
 */
#include "math/code_products.h"

#include "math/panel.h"

void cn_code_products(const int8_t *query, const int8_t *rows, size_t count, size_t dim, int32_t *out)
{
	const cn_panel_form *form = cn_panel_form_of(CN_NUMBER_I8, 1);
	int32_t excess = 0;
	for (size_t k = 0; form->excess && k < dim; k++)
		excess += CN_PANEL_EXCESS * query[k];
	form->dot_rows(query, rows, count, dim, out);
	for (size_t i = 0; excess && i < count; i++)
		out[i] -= excess;
}
