# Keep the plausible readings of a sensor file, in physical units.
import sys

MIN_VOLTS = 0.05
MAX_VOLTS = 4.95


def parse_line(line):
    parts = line.rstrip("\n").split(";")
    return (parts[0], int(parts[1]), float(parts[2]), float(parts[3]), parts[4] == "ok")


def parse_file(path):
    measurements = []
    with open(path) as f:
        next(f)
        for line in f:
            measurements.append(parse_line(line))
    return measurements


def is_good(m):
    return m[4] and MIN_VOLTS < m[2] < MAX_VOLTS


def main():
    measurements = parse_file(sys.argv[1])
    good = [m for m in measurements if is_good(m)]
    with open("good_readings.txt", "w") as out:
        out.write("sensor;second;pressure;celsius\n")
        for sensor, second, volts, celsius, _ in good:
            pressure = (volts - 0.5) * 25.0 * (1 + 0.0021 * (celsius - 20))
            out.write(f"{sensor};{second};{pressure:.3f};{celsius}\n")
    print("read", len(measurements))
    print("kept", len(good))
    print("dropped", len(measurements) - len(good))


if __name__ == "__main__":
    main()
