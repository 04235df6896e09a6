"""List the columns of a CSV that hold one value only (blanks are ignored)."""
import csv
import sys


class Column:
    def __init__(self, name):
        self.name = name
        self.distinct = set()
        self.blanks = 0

    def see(self, cell):
        cell = cell.strip().lower()
        if cell in ("", "na", "null"):
            self.blanks += 1
        else:
            self.distinct.add(cell)

    def is_constant(self):
        return len(self.distinct) <= 1


def main():
    path = sys.argv[1] if len(sys.argv) > 1 else "data/survey.csv"
    with open(path, newline="") as f:
        reader = csv.reader(f)
        columns = [Column(name) for name in next(reader)]
        for row in reader:
            for column, cell in zip(columns, row):
                column.see(cell)

    constant = [c for c in columns if c.is_constant()]
    with open("constant_columns.txt", "w") as f:
        for c in constant:
            value = next(iter(c.distinct), "(empty)")
            f.write(f"{c.name}: {value}\n")
            print(c.name, "is always", value, f"({c.blanks} blanks)" if c.blanks else "")
    print(len(constant), "of", len(columns), "columns are constant")


if __name__ == "__main__":
    main()
