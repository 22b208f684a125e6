"""Where does an image classifier look, and what else could stand there without changing its answer?"""
