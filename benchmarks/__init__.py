"""The numbers that the documentation quotes: each module measures one thing and says what it should be.

python -m benchmarks                 all of them
python -m benchmarks speed memory    some
"""
