from weighlock.cli import main

main()
