"""Vegetation survey over a folder of satellite tiles.

Each tile is a .npy array, height x width x 4 bands (blue, green, red, near
infrared), 8 bits per band.
"""
import csv
import glob
import json
import os
import sys

import numpy as np

folder = sys.argv[1] if len(sys.argv) > 1 else "data/tiles"


def preprocess(path):
    """Reflectance between 0 and 1, clouds blanked out."""
    raw = np.load(path).astype(np.float64) / 255.0
    clouds = raw[..., :3].min(axis=2) > 0.85
    raw[clouds] = np.nan
    low = np.nanpercentile(raw, 1)
    high = np.nanpercentile(raw, 99)
    return np.clip((raw - low) / (high - low), 0.0, 1.0), clouds.mean()


def features(tile, cloud_share):
    red = tile[..., 2]
    nir = tile[..., 3]
    ndvi = (nir - red) / (nir + red + 1e-6)
    gy, gx = np.gradient(tile.mean(axis=2))
    return {
        "clouds": round(float(cloud_share), 4),
        "ndvi": round(float(np.nanmean(ndvi)), 4),
        "green_share": round(float(np.nanmean(np.where(np.isnan(ndvi), np.nan, ndvi > 0.3))), 4),
        "texture": round(float(np.nanmean(np.hypot(gx, gy))), 4),
    }


table = []
for path in sorted(glob.glob(os.path.join(folder, "*.npy"))):
    tile, cloud_share = preprocess(path)
    record = {"tile": os.path.basename(path)}
    record.update(features(tile, cloud_share))
    table.append(record)

with open("tiles.csv", "w", newline="") as f:
    writer = csv.DictWriter(f, fieldnames=["tile", "clouds", "ndvi", "green_share", "texture"])
    writer.writeheader()
    writer.writerows(table)

clear = [record for record in table if record["clouds"] < 0.2]
summary = {
    "tiles": len(table),
    "clear": len(clear),
    "mean_ndvi": round(sum(r["ndvi"] for r in clear) / len(clear), 4),
    "greenest": max(clear, key=lambda r: r["ndvi"])["tile"],
}
with open("summary.json", "w") as f:
    json.dump(summary, f, indent=2)
print(json.dumps(summary, indent=2))
