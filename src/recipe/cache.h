/*
 * recipe/cache.h - values of stages in a folder, found again by what they were made of.
 *
 *   KEY.json     which stage it is, what it took, the files below with sizes and checksums; written last
 *   KEY.vectors.npy                                        queries
 *   KEY.rows.npy  .codes.npy  .scales.npy  .images.npy     an index
 *   KEY.ids.npy  .scores.npy  .inliers.npy                 a ranking; inliers where it was verified
 *
 *   KEY.graph.*  KEY.offline.*                             what stages keep besides, by keys of its own
 *   KEY.pairs                                              recipe/pairs.h; it has no KEY.json
 *
 * What has no KEY.json does not exist, so a kill at any instant leaves nothing that is half.
 */
#ifndef CN_RECIPE_CACHE_H
#define CN_RECIPE_CACHE_H

#include "collection/keymap.h"
#include "recipe/value.h"
#include "util/json.h"

#define CN_KEY_TEXT 33

/** 32 hexadecimal digits and a NUL. */
void cn_key_text(cn_key key, char text[CN_KEY_TEXT]);

/** The folder of a run. */
typedef struct {
	char *folder;
} cn_cache;

/** Path of a file in the folder; caller frees. NULL where memory is short. */
char *cn_cache_path(const cn_cache *cache, cn_key key, const char *ending);

/** The files of an index, in the order of index/row_segment.h, for who writes it. Free each of CN_ROW_FILES, also after
 * a failure. */
int cn_cache_index_paths(const cn_cache *cache, cn_key key, char *paths[CN_ROW_FILES]);

/** Open them as value->index. */
int cn_cache_open_index(const cn_cache *cache, cn_key key, size_t dim, cn_value *value);

/**
 * Read a value.
 *
 * @param[in,out] value type is set, and of an index `dim`; filled where it is found
 * @param[out]    about what cn_cache_save() was told, or NULL where it is not there; caller frees
 * @return 0, also where it is not there or is damaged: the log then has a warning, and it is to be made again;
 *         CAIRN_ENOMEM
 */
int cn_cache_load(const cn_cache *cache, cn_key key, cn_value *value, json_t **about);

/** Write a value. @param about what is told of it; its member "files" is set */
int cn_cache_save(const cn_cache *cache, cn_key key, const cn_value *value, json_t *about);

/** Write the description of `count` files KEY.ENDING that are there. @param about as above */
int cn_cache_note(const cn_cache *cache, cn_key key, const char *const *endings, size_t count, json_t *about);

/** Whether the files of a key are there and whole: *about and the return value are as of cn_cache_load(). */
int cn_cache_look(const cn_cache *cache, cn_key key, json_t **about);

#endif
