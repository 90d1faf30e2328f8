/*
 * cairn/cairn.h - everything. cairn finds every photograph of the same place, and proves it by matched points.
 *
 *     error.h        status codes, the text of the last error, log and progress callbacks
 *     image.h        decoding, resizing, drawing
 *     model.h        network bundles
 *     descriptors.h  global descriptors of images
 *     whitening.h    centring and whitening of global descriptors, learned from images
 *     features.h     local features of images
 *     verify.h       matching and geometric verification of two images
 *     ranking.h      the K best images for Q queries
 *     index.h        nearest neighbours
 *     graph.h        the nearest neighbours of every image
 *     ivf.h          lists of descriptors that make their search faster
 *     rerank.h       query expansion, augmentation of all images, fusion of rankings
 *     asmk.h         search by local features: codebooks, ASMK files
 *     collection.h   images remembered on disk
 *     search.h       one question answered; reports
 *     recipe.h       whole runs written down in a file
 *     eval.h         benchmark scores
 */
#ifndef CAIRN_CAIRN_H
#define CAIRN_CAIRN_H

#include "cairn/asmk.h"
#include "cairn/collection.h"
#include "cairn/descriptors.h"
#include "cairn/error.h"
#include "cairn/eval.h"
#include "cairn/features.h"
#include "cairn/graph.h"
#include "cairn/image.h"
#include "cairn/index.h"
#include "cairn/ivf.h"
#include "cairn/model.h"
#include "cairn/ranking.h"
#include "cairn/recipe.h"
#include "cairn/rerank.h"
#include "cairn/run.h"
#include "cairn/search.h"
#include "cairn/verify.h"
#include "cairn/whitening.h"

#endif
